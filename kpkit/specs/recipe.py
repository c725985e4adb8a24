"""A recipe: what to train. One network, its data by phase, its schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share

Size = Annotated[int, Field(ge=32, le=2048, multiple_of=32)]


class NetworkSpec(Spec):
    """``[network]``: a catalogue name and its parameters.

    ``input_size`` is (height, width) in pixels; ``options`` override the catalogue's builder parameters.
    Pictures are RGB, scaled to 0..1, less ``mean``, over ``std``.
    """

    name: str
    input_size: tuple[Size, Size] = (256, 192)
    options: dict[str, Any] = {}
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.229, 0.224, 0.225)


class CodecSpec(Spec):
    """``[codec]``: how keypoints meet heatmaps.

    ``sigmas`` are Gaussian widths in heatmap pixels, widest first; a network's output picks one by its level
    (coarse-to-fine supervision). ``padding`` is the margin factor round a box.
    """

    convention: Literal["classic", "unbiased"] = "classic"
    sigmas: tuple[PositiveFloat, ...] = (2.0,)
    padding: Annotated[float, Field(ge=1, le=3)] = 1.25

    @field_validator("sigmas")
    @classmethod
    def _widest_first(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or list(value) != sorted(value, reverse=True):
            raise ValueError("one or more Gaussian widths, widest first")
        return value


class HardNegativesSpec(Spec):
    """``[data.H]``: detections that touch no annotated person (CCM section 4.3).

    ``boxes`` is the data set whose detector file and annotations are compared.
    """

    boxes: str
    min_score: Share = 0.5


class DataSpec(Spec):
    """``[data]``: the sources by the CCM paper's letters, and the validation set.

    ``ratios`` give, per letter, how many samples an epoch draws for each sample of C; a source without a
    ratio is shown whole once an epoch.
    """

    A: str = ""
    C: str = ""
    H: HardNegativesSpec | None = None
    U: str = ""
    val: str = ""
    val_boxes: BoxSource = "detections"
    ratios: dict[str, PositiveFloat] = {}

    @field_validator("ratios")
    @classmethod
    def _ratio_letters(cls, value: dict[str, float]) -> dict[str, float]:
        if set(value) - set("AHU"):
            raise ValueError("ratios are named A, H or U; C is what they are counted against")
        return value


class AugmentationSpec(Spec):
    """``[augmentation]``: HRNet's crop augmentation (facts: scale and rotation are clipped normals)."""

    flip: Share = 0.5
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.35
    rotation: Annotated[float, Field(ge=0, le=90)] = 45.0
    rotation_probability: Share = 0.6
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    half_body: Share = 0.3
    half_body_min_keypoints: PositiveInt = 8


class ScheduleSpec(Spec):
    """``[training.schedule]``: warm-up, then cosine to zero or steps at epochs."""

    kind: Literal["cosine", "step"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    milestones: tuple[PositiveFloat, ...] = ()
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _milestones_belong_to_steps(self) -> ScheduleSpec:
        if (self.kind == "step") != bool(self.milestones):
            raise ValueError('milestones go with kind = "step", and only with it')
        return self


class TrainingSpec(Spec):
    """``[training]``: the loop.

    Attributes:
        phases: sources shown together, phase by phase, such as ``["ACHU", "CH"]``; none where the recipe's
            weights are already trained.
        epochs: passes over C (over the first source where a phase lacks C), per phase.
        ema: decay of the weight average that is validated and kept; 0 for none.
        ohkm: keypoints that count where a network output is trained with OHKM.
        precision: ``bf16`` runs forward passes under autocast.
        validate_every: epochs between validations (the last epoch always is); 0 for the end only.
        checkpoint_every: steps between checkpoints.
        workers: training processes; more than one needs Ray.
    """

    phases: tuple[str, ...] = ()
    epochs: tuple[PositiveInt, ...] = ()
    batch_size: PositiveInt = 32
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: ScheduleSpec = ScheduleSpec()
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ohkm: PositiveInt = 8
    precision: Literal["bf16", "fp32"] = "bf16"
    max_steps: PositiveInt | None = None
    validate_every: Annotated[int, Field(ge=0)] = 0
    checkpoint_every: PositiveInt = 200
    workers: PositiveInt = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("phases")
    @classmethod
    def _letters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for phase in value:
            if not phase or set(phase) - set("ACHU") or len(set(phase)) != len(phase):
                raise ValueError(f"phase {phase!r} must be distinct letters of A, C, H, U")
            if phase == "H":
                raise ValueError("phase 'H' alone shows no keypoint at all")
        return value

    @model_validator(mode="after")
    def _one_count_per_phase(self) -> TrainingSpec:
        if len(self.epochs) != len(self.phases):
            raise ValueError("epochs must hold one number per phase")
        return self


class RecipeSpec(Spec):
    """A recipe document.

    ``weights`` names a safetensors file (what ``kpkit import-weights`` writes), relative to the document.
    Training starts from it; a recipe without training phases is a member as it is.
    """

    kind: Literal["recipe"]
    about: About = About()
    weights: str = ""
    network: NetworkSpec
    codec: CodecSpec = CodecSpec()
    data: DataSpec = DataSpec()
    training: TrainingSpec = TrainingSpec()
    augmentation: AugmentationSpec = AugmentationSpec()
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    datasets: dict[str, DatasetSpec] = {}

    @model_validator(mode="after")
    def _sources_are_named(self) -> RecipeSpec:
        if not self.training.phases and not self.weights:
            raise ValueError("a recipe needs training.phases, or weights that are already trained")
        for letter in sorted(set("".join(self.training.phases))):
            if not getattr(self.data, letter):
                raise ValueError(f"a phase shows {letter}, but data.{letter} is not named")
        return self
