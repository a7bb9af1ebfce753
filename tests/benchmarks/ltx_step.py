"""What each rewriting of the compiled LTX is worth: one call of its transformer and one decoding; prints JSON.

    python -m tests.benchmarks.ltx_step --candidates 8

Random weights at the real size, 480 x 480, 33 frames. ``library`` is the library's forward, its blocks compiled,
``library eager`` not compiled, ``library whole`` compiled as one, ``library tuned`` by the compiler's search among
kernels, ``library NAME`` with another attention backend. ``all`` is what the model runs; ``without NAME`` leaves one
part out (`lean_blocks.Parts`). Milliseconds a call.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from types import SimpleNamespace
from typing import Any

import tomllib

from harness.worldmodels.catalog import load_catalog
from tests.benchmarks.kernels import breakdown, milliseconds

EAGER, WHOLE, TUNED = "eager", "whole", "tuned"

FRAMES, HEIGHT, WIDTH, TEXT = 5, 15, 15, 128


def parsed() -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument(
        "--text", type=int, default=48, help=f"tokens of the longest text, the rest of {TEXT} is padding"
    )
    parser.add_argument("--attention", nargs="*", default=[], help="attention backends to try as well")
    parser.add_argument(
        "--library", nargs="*", default=[], help="ways to run the library's: eager, whole, tuned, a backend"
    )
    parser.add_argument("--skip", nargs="*", default=[], choices=["step", "parts", "decoder", "padding"])
    return parser.parse_args()


def built(name: str, device: Any) -> Any:
    """Return component ``name`` of `ltx` with random weights."""
    import torch
    from video_diffusion.random_weights import build

    entry = load_catalog().find("ltx")
    shapes = tomllib.loads((entry.folder / str(entry.manifest.settings["shapes"])).read_text())
    torch.manual_seed(0)
    return build(shapes["components"][name], torch.bfloat16 if device.type == "cuda" else torch.float32, device)


def arguments_for(transformer: Any, candidates: int, text: int) -> dict[str, Any]:
    """Return the arguments of a step with guidance: two rows a candidate, texts of different lengths."""
    import torch

    device, rows = transformer.device, 2 * candidates
    tokens = FRAMES * HEIGHT * WIDTH
    clean = torch.zeros(rows, tokens, device=device)
    clean[:, : HEIGHT * WIDTH] = 1.0
    lengths = torch.tensor([max(1, text - row % candidates if text < TEXT else TEXT) for row in range(rows)])
    latents = torch.randn(candidates, tokens, 128, device=device, dtype=transformer.dtype)
    return {
        "hidden_states": torch.cat([latents, latents]),
        "encoder_hidden_states": torch.randn(rows, TEXT, 4096, device=device, dtype=transformer.dtype),
        "timestep": 700.0 * (1 - clean),
        "encoder_attention_mask": (torch.arange(TEXT)[None] < lengths[:, None]).to(device, torch.int64),
        "num_frames": FRAMES,
        "height": HEIGHT,
        "width": WIDTH,
        "rope_interpolation_scale": (8 / 25, 32, 32),
        "return_dict": False,
    }


def compiled(transformer: Any, prepare: Callable[[Any], None], way: str = "") -> None:
    """Bring ``transformer`` back to the library's, ``prepare`` it, and compile its blocks, or in another ``way``."""
    import torch
    from video_diffusion.devices import compile_blocks

    torch._dynamo.reset()
    for name in ("forward", "_repeated_blocks"):
        vars(transformer).pop(name, None)
    for block in transformer.transformer_blocks:
        vars(block).pop("forward", None)
    transformer.set_attention_backend("native")
    prepare(transformer)
    if way in (WHOLE, TUNED):
        mode = "max-autotune-no-cudagraphs" if way == TUNED else None
        transformer.forward = torch.compile(transformer.forward, dynamic=False, mode=mode)
    elif way != EAGER:
        if way:
            transformer.set_attention_backend(way)
        compile_blocks(SimpleNamespace(transformer=transformer))


def denoising(choices: argparse.Namespace, device: Any) -> dict[str, Any]:
    """Return milliseconds a call of the transformer, by variant."""
    from lean import streamline
    from lean_blocks import Parts

    transformer = built("transformer", device)
    arguments = arguments_for(transformer, choices.candidates, choices.text)
    variants: dict[str, tuple[Callable[[Any], None], str]] = {"library": (nothing, ""), "all": (streamline, "")}
    for way in choices.library:
        variants[f"library {way}"] = (nothing, way)
    if "parts" not in choices.skip:
        for part in fields(Parts):
            variants[f"without {part.name}"] = (partial(streamline, parts=Parts(**{part.name: False})), "")
    for backend in choices.attention:
        variants[f"attention {backend}"] = (partial(with_attention, backend=backend), "")
    found: dict[str, Any] = {}
    for name, (prepare, way) in variants.items():
        try:
            compiled(transformer, prepare, way)
            found[name] = report(name, partial(transformer, **arguments), name in ("library", "all"))
        except (RuntimeError, ValueError) as error:
            found[name] = str(error)[:200]
    if "padding" in choices.skip:
        return found
    compiled(transformer, streamline)
    whole = arguments_for(transformer, choices.candidates, TEXT)
    shorter = {name: arguments[name][:, : TEXT // 2] for name in ("encoder_hidden_states", "encoder_attention_mask")}
    found["all, no padding"] = report("all, no padding", partial(transformer, **whole))
    found["all, half the padded text"] = report("all, half the text", partial(transformer, **{**arguments, **shorter}))
    return found


def nothing(_: Any) -> None:
    """Leave the library's transformer as it is."""


def report(name: str, call: Callable[[], Any], by_kind: bool = False) -> Any:
    """Measure ``call`` and say so at once: a run that is cut short has told what it knows."""
    import torch

    found = breakdown(call) if by_kind and torch.cuda.is_available() else milliseconds(call)
    print(name, found, file=sys.stderr, flush=True)
    return found


def with_attention(transformer: Any, backend: str) -> None:
    """Rewrite ``transformer`` and let it use another attention."""
    from lean import streamline

    streamline(transformer)
    transformer.set_attention_backend(backend)


def decoding(device: Any) -> dict[str, Any]:
    """Return milliseconds of decoding one clip: by the library, with fused blocks, and with cuDNN's own search."""
    import torch
    from lean import compile_ltx_decoder

    vae = built("vae", device)
    latents = torch.randn(1, 128, FRAMES, HEIGHT, WIDTH, device=device, dtype=vae.dtype)
    decode = partial(vae.decode, latents, torch.zeros(1, device=device, dtype=vae.dtype))
    found: dict[str, Any] = {"library": report("library", decode, True)}
    compile_ltx_decoder(vae, device, channels_kept_last=False)
    found["fused, channels first"] = report("fused, channels first", decode, True)
    torch._dynamo.reset()
    compile_ltx_decoder(vae, device)
    found["fused"] = report("fused", decode, True)
    torch.backends.cudnn.benchmark = True
    found["fused, cuDNN searches"] = report("fused, cuDNN searches", decode, True)
    return found


def main() -> None:
    """Measure what the command line asks for, and print it."""
    choices = parsed()
    entry = load_catalog().find("ltx")
    sys.path[:0] = [str(folder) for folder in (entry.folder, *entry.shared)]
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.no_grad():
        result: dict[str, Any] = {"rows": 2 * choices.candidates}
        if "step" not in choices.skip:
            result["step"] = denoising(choices, device)
        torch._dynamo.reset()
        if "decoder" not in choices.skip:
            result["decoding"] = decoding(device)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
