"""What a policy is asked, with its pictures in front, and the plans that it answers."""

from __future__ import annotations

from harness.contracts.policies import ProposalReply, ProposalRequest
from harness.wire.codec import mapper
from harness.wire.codec.messages import parse, parse_with_payload
from harness.wire.codec.splice import Splice
from harness.wire.codec.views import Arrays, Images, add_views, read_view, read_views, write_view
from harness.wire.generated import wiw_pb2

_PICTURES = ("views", "prompt")
_PROMPT = "prompt"


def write_request(request: ProposalRequest, where: str = "request") -> Splice:
    """Return a ProposalRequest message."""
    small = wiw_pb2.ProposalRequest()
    mapper.write_fields(ProposalRequest, request, small, where, *_PICTURES)
    images: Arrays = []
    rest = Splice.of(small)
    add_views(request.views, rest, small.VIEWS_FIELD_NUMBER, images, f"{where}.views")
    if request.prompt is not None:
        rest.add_encoded(small.PROMPT_FIELD_NUMBER, write_view(_PROMPT, request.prompt, images, f"{where}.prompt"))
    message = Splice()
    message.add_arrays(small.IMAGES_FIELD_NUMBER, images)
    message.append(rest)
    return message


def read_request(data: bytes, where: str = "request") -> ProposalRequest:
    """Return what is asked, from the bytes of a ProposalRequest message."""
    message, payload = parse_with_payload("ProposalRequest", data)
    images = Images(payload)
    views = read_views(message.views, images, f"{where}.views")
    shown = message.HasField("prompt")
    prompt = read_view(message.prompt, images, f"{where}.prompt")[1] if shown else None
    images.finish(where)
    fields = mapper.read_fields(ProposalRequest, message, where, *_PICTURES)
    return ProposalRequest(views=views, prompt=prompt, **fields)


def write_reply(reply: ProposalReply, where: str = "reply") -> bytes:
    """Return the bytes of a ProposalReply message."""
    message = wiw_pb2.ProposalReply()
    mapper.write(ProposalReply, reply, message, where)
    data: bytes = message.SerializeToString()
    return data


def read_reply(data: bytes, where: str = "reply") -> ProposalReply:
    """Return the plans, from the bytes of a ProposalReply message."""
    reply: ProposalReply = mapper.read(ProposalReply, parse("ProposalReply", data), where)
    return reply
