"""What a model is and how it is trained: a small YAML file, checked key by key."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from synth.diffusion.denoiser import DenoiserConfig, Size
from synth.diffusion.features import FEATURES
from synth.diffusion.losses import Weights
from synth.diffusion.process import Objective
from synth.diffusion.schedule import Schedule, cosine, linear
from synth.encoders import ENCODERS
from synth.errors import BadFile, BadOption
from synth.settings import read_yaml, settings_from

FOLDER = Path(__file__).parent / "configs"
PRECISIONS = ("no", "bf16", "fp16")


def number(default: float, low: float, high: float) -> Any:
    """A setting from `low` to `high`."""
    return field(default=default, metadata={"range": (low, high)})


def _word(default: str, *among: str) -> Any:
    return field(default=default, metadata={"among": among})


@dataclass(frozen=True)
class Process:
    """The diffusion process: its schedule, what the network predicts, and how much the steps count in training.

    Attributes:
        snr: power of the signal-to-noise ratio by which the losses of a step are weighted; see `train.weights_of_t`.
    """

    schedule: str = _word("cosine", "cosine", "linear")
    steps: int = number(1000, 2, 10**5)
    objective: str = _word("x0", "x0", "epsilon", "v")
    snr: float = number(0.5, 0, 2)

    @property
    def predicts(self) -> Objective:
        """The objective, of which the configuration's reader knows that it is one."""
        return cast(Objective, self.objective)

    def tables(self) -> Schedule:
        return (cosine if self.schedule == "cosine" else linear)(self.steps)


@dataclass(frozen=True)
class Drop:
    """How often a condition is left out in training, so that guidance can compare with and without."""

    text: float = number(0.1, 0, 1)
    scene: float = number(0.1, 0, 1)
    partner: float = number(0.1, 0, 1)
    start: float = number(0.5, 0, 1)
    target: float = number(0.7, 0, 1)


@dataclass(frozen=True)
class Updates:
    """What `synth.diffusion.loop` and the batches of a training need to know, whatever is trained.

    Attributes:
        updates: of the weights. batch: motions a batch. accumulate: batches an update.
        frames: longest motion, at the corpus's rate; a multiple of the model's patch.
        optimiser: "adamw", or "muon" for the matrices of the blocks; see `state.optimisers_of`.
        rate: the optimiser's, after `warmup` updates, falling to `last_rate` times itself by a half cosine.
        ema: decay of the running mean of the weights, which is what is used.
        precision: of the network's arithmetic; the losses are float32.
        pairs: share of the batches that hold people together; the others hold one person each.
        log_every, save_every: in updates. balance: classes are drawn by their number of motions to this power less 1.
    """

    name: str = "caresynth"
    seed: int = number(0, 0, 2**63 - 1)
    updates: int = number(20000, 1, 10**9)
    batch: int = number(64, 1, 10**5)
    accumulate: int = number(1, 1, 10**4)
    frames: int = number(240, 8, 10**4)
    optimiser: str = _word("adamw", "adamw", "muon")
    rate: float = number(4e-4, 0, 1)
    last_rate: float = number(0.05, 0, 1)
    warmup: int = number(500, 0, 10**8)
    weight_decay: float = number(0.01, 0, 10)
    clip: float = number(1.0, 0, 1e6)
    ema: float = number(0.999, 0, 1)
    balance: float = number(0.5, 0, 1)
    precision: str = _word("no", *PRECISIONS)
    compile: bool = False
    log_every: int = number(50, 1, 10**9)
    save_every: int = number(1000, 1, 10**9)
    pairs: float = number(0.5, 0, 1)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ClassifierSize(Size):
    """Size of the classifier of noisy motion: it has little to say, and guidance asks it at every step."""

    width: int = field(default=128, metadata={"range": (8, 4096)})
    layers: int = field(default=4, metadata={"range": (1, 64)})
    patch: int = field(default=8, metadata={"range": (1, 60)})


@dataclass(frozen=True)
class ClassifierConfig(Updates):
    """A training of the classifier of noisy motion; `process` must be that of the generator that it is to guide."""

    model: ClassifierSize = field(default_factory=ClassifierSize)
    process: Process = field(default_factory=Process)


@dataclass(frozen=True)
class TrainConfig(Updates):
    """A training of the generator.

    Attributes:
        encoder: of the words; `model.text` is its width. CLIP's and T5's are the user's to bring (`synth.encoders`).
    """

    encoder: str = _word("minilm", *ENCODERS)
    model: DenoiserConfig = field(default_factory=DenoiserConfig)
    process: Process = field(default_factory=Process)
    drop: Drop = field(default_factory=Drop)
    weights: Weights = field(default_factory=Weights)


Config = TypeVar("Config", TrainConfig, ClassifierConfig)


def read_train_config(name_or_path: str | Path) -> TrainConfig:
    """A generator's configuration: a file, or the name of a packaged one; see `read_config`."""
    return read_config(TrainConfig, name_or_path)


def read_config(kind: type[Config], name_or_path: str | Path, folder: Path = FOLDER) -> Config:
    """A configuration: a file, or the name of one in `folder`.

    Raises:
        BadFile: names the field, what stands there and what is expected. BadOption: there is no such file or name.
    """
    path = Path(name_or_path)
    packaged = sorted(item.stem for item in folder.glob("*.yaml"))
    if not path.is_file() and str(name_or_path) in packaged:
        path = folder / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise BadOption("CONFIG", str(name_or_path), f"a file, or one of {', '.join(packaged)}")
    return checked(settings_from(kind, read_yaml(path), path), path)


def checked(config: Config, where: str | Path) -> Config:
    """What no single field can tell. Raises BadFile."""
    model = config.model
    if config.frames % model.patch:
        raise BadFile(where, "frames", config.frames, f"a multiple of model.patch, {model.patch}")
    if model.width % (2 * model.heads):
        raise BadFile(where, "model.width", model.width, f"a multiple of twice model.heads, {2 * model.heads}")
    if model.steps != config.process.steps:
        raise BadFile(where, "model.steps", model.steps, f"process.steps, {config.process.steps}")
    if isinstance(model, DenoiserConfig) and model.components:
        if model.components > model.patch * FEATURES:
            raise BadFile(where, "model.components", model.components, f"at most {FEATURES} x model.patch")
        if config.process.objective != "x0":
            raise BadFile(where, "process.objective", config.process.objective, "x0, as model.components is not 0")
    return config
