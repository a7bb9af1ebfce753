"""The settings of a diffusers world model: what `[model.settings]` of a plugin.toml may say, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.contracts.names import nearest
from video_diffusion.acceleration import parse_modes

CALL = "call."
"""Settings with this prefix are handed to the pipeline's call as they are: ``call.frame_rate = 25``."""
COMPONENT_DTYPE = "dtype."
"""Settings with this prefix give one component a dtype of its own: ``dtype.vae = "bf16"``."""
LORA = "lora"
PARTS = ("", "transformer", "unet", LORA)


@dataclass(frozen=True)
class PipelineSettings:
    """How a pipeline is loaded and called.

    ``pipeline`` is the diffusers class. ``part`` says what a post-trained checkpoint replaces: a component
    (``transformer``, ``unet``) or nothing but low-rank additions (``lora``, scaled by ``lora_scale``). ``device`` is
    ``auto`` (the first CUDA device, otherwise the CPU) or a torch device. ``noise_device`` is ``cpu`` (the same noise
    on every machine) or ``device``. ``compile`` compiles the repeated blocks; ``accelerate`` names modes that
    compute less (`video_diffusion.acceleration`); ``attention`` names a diffusers
    attention backend ("" leaves the default). ``one_pass_guidance`` computes both halves of guidance in one batch.
    ``offload`` keeps components on the CPU until they are needed. ``download`` allows the hub to be asked; otherwise
    only what is on this machine is used. ``variant`` picks files such as ``fp16``. ``generation_height`` and
    ``generation_width`` are the size that the pipeline works at, where it is not the view's. ``frame_multiple`` lets
    the length follow the candidate (``frame_multiple`` * k + 1 frames); 0 always generates the manifest's length.
    ``shapes`` is the file with the architecture for random weights, relative to the family's folder. ``plan_actions``
    is how many actions a plan always has in the published convention (13; 0: as many as the candidate), which says
    where in a video of fixed length an action ends; it is read by the harness as well; ``prompt_template``, ``depth``,
    ``batch_tolerance`` (grey levels by which a rollout in a batch may differ from the same one alone) and ``untrained``
    (nobody trained these weights) by the harness alone.
    """

    pipeline: str = ""
    negative_prompt: str = ""
    part: str = ""
    lora_scale: float = 1.0
    device: str = "auto"
    noise_device: str = "cpu"
    compile: bool = False
    accelerate: str = ""
    attention: str = ""
    one_pass_guidance: bool = False
    offload: bool = False
    download: bool = False
    variant: str = ""
    generation_height: int = 0
    generation_width: int = 0
    frame_multiple: int = 0
    shapes: str = ""
    plan_actions: int = 0
    prompt_template: str = ""
    depth: bool = False
    batch_tolerance: float = 0.0
    untrained: bool = False
    call: Mapping[str, Setting] = field(default_factory=dict)
    component_dtypes: Mapping[str, str] = field(default_factory=dict)
    family: Mapping[str, Setting] = field(default_factory=dict)


_OWN = {name: f.default for name, f in PipelineSettings.__dataclass_fields__.items() if not callable(f.default_factory)}


def read_settings(settings: Mapping[str, Setting], family: Mapping[str, Setting]) -> PipelineSettings:
    """Return the settings of a manifest; ``family`` holds the defaults of settings that only one family knows.

    An unknown name, a value of another type and an impossible choice raise Refusal.
    """
    known = {**_OWN, **family}
    own: dict[str, Setting] = {}
    extra = dict(family)
    call: dict[str, Setting] = {}
    dtypes: dict[str, str] = {}
    for name, value in settings.items():
        if name.startswith(CALL):
            call[name[len(CALL) :]] = value
        elif name.startswith(COMPONENT_DTYPE):
            dtypes[name[len(COMPONENT_DTYPE) :]] = str(value)
        elif name in family:
            extra[name] = _typed(name, value, family[name])
        elif name in known:
            own[name] = _typed(name, value, known[name])
        else:
            raise Refusal(f"there is no setting {name!r} for this world model.", nearest(name, sorted(known)))
    parsed = PipelineSettings(**own, call=call, component_dtypes=dtypes, family=extra)  # type: ignore[arg-type]
    _check_choices(parsed)
    return parsed


def _typed(name: str, value: Setting, default: object) -> Setting:
    """Return ``value`` as the type of ``default``; a whole number may stand for a real one."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise Refusal(f"setting {name!r} is {value!r}, a {type(value).__name__}.", f"Give a {type(default).__name__}.")
    return value


def _check_choices(settings: PipelineSettings) -> None:
    if not settings.pipeline:
        raise Refusal("no diffusers pipeline is named.", 'Set pipeline = "LTXImageToVideoPipeline", for example.')
    if settings.part not in PARTS:
        raise Refusal(f"part {settings.part!r} cannot be replaced.", f"Use one of {', '.join(PARTS[1:])}.")
    parse_modes(settings.accelerate)
    if settings.noise_device not in ("cpu", "device"):
        raise Refusal(f"noise_device {settings.noise_device!r} is unknown.", "Use cpu or device.")
    if bool(settings.generation_height) != bool(settings.generation_width):
        raise Refusal("only one of generation_height and generation_width is set.", "Set both or neither.")
