"""A recipe: what to train. One network, its data by phase, its schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from kpkit.core.skeletons import SKELETONS
from kpkit.specs.base import About, Spec, did_you_mean
from kpkit.specs.datasets import DatasetSpec, SkeletonName
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share
from kpkit.specs.refinement import RefinementSpec

Size = Annotated[int, Field(ge=32, le=2048, multiple_of=32)]
Margin = Annotated[float, Field(ge=1, le=3)]


class NetworkSpec(Spec):
    """``[network]``: a catalogue name and its parameters.

    ``skeleton`` is the keypoints it learns: its number of heatmaps, what mirrors what, and the OKS of its
    validation; every source is carried into it by keypoint name. ``input_size`` is (height, width) in pixels;
    ``options`` override the catalogue's builder parameters.
    Pictures are scaled to 0..1, less ``mean``, over ``std``; these two, and the network's input, are in
    ``channel_order`` (Megvii's networks want ``"bgr"``). ``precision`` ``"bf16"`` runs forward passes under
    autocast, in training and inference.
    """

    name: str
    skeleton: SkeletonName = "coco17"
    input_size: tuple[Size, Size] = (256, 192)
    options: dict[str, Any] = {}
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.229, 0.224, 0.225)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    precision: Literal["bf16", "fp32"] = "bf16"


class CodecSpec(Spec):
    """``[codec]``: how keypoints meet heatmaps.

    Attributes:
        convention: where a heatmap pixel lies in the crop: ``classic`` (HRNet) at stride * u, ``megvii``
            (MSPN, RSN, CPN) at stride * u + stride / 2 (4x + 2), ``unbiased`` (UDP) on the size-minus-one
            crop and grid.
        margins: factors on a box's (width, height) before the fit to the crop's aspect ratio (MSPN 1.09 and
            1.135, CPN 1.2 and 1.3).
        padding: factor on both after the fit; 1.25 (HRNet), or 1 where ``margins`` are given.
        target: ``gaussian`` at the keypoint's exact place on the whole map (DARK); ``patch``, cut off at 3
            sigma, at the nearest pixel (HRNet), or at the exact place when unbiased (UDP); ``kernel``, one
            pixel blurred by OpenCV's Gaussian and brought to the peak (MSPN, CPN).
        sigmas: Gaussian widths in heatmap pixels, widest first; a network's output picks one by its level
            (coarse-to-fine supervision). For ``gaussian`` and ``patch``.
        kernels: odd kernel sizes in heatmap pixels, likewise. For ``kernel``.
        peak: the targets' highest value (Megvii 255). Heatmaps are divided by it after the network.
    """

    convention: Literal["classic", "megvii", "unbiased"] = "classic"
    margins: tuple[Margin, Margin] = (1.0, 1.0)
    padding: Margin = Field(default_factory=lambda given: 1.25 if given.get("margins") == (1, 1) else 1.0)
    target: Literal["gaussian", "patch", "kernel"] = "gaussian"
    sigmas: tuple[PositiveFloat, ...] | None = Field(
        default_factory=lambda given: None if given.get("target") == "kernel" else (2.0,)
    )
    kernels: tuple[Annotated[int, Field(ge=3, le=99)], ...] | None = None
    peak: PositiveFloat = 1.0

    @field_validator("sigmas")
    @classmethod
    def _widest_first(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and (not value or list(value) != sorted(value, reverse=True)):
            raise ValueError("one or more Gaussian widths, widest first")
        return value

    @field_validator("kernels")
    @classmethod
    def _odd_widest_first(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (
            not value or any(size % 2 == 0 for size in value) or list(value) != sorted(value, reverse=True)
        ):
            raise ValueError("one or more odd kernel sizes, widest first")
        return value

    @model_validator(mode="after")
    def _one_kind_of_width(self) -> CodecSpec:
        wanted, other = ("kernels", "sigmas") if self.target == "kernel" else ("sigmas", "kernels")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f'target = "{self.target}" takes {wanted}, and no {other}')
        return self


class HardNegativesSpec(Spec):
    """``[data.H]``: detections that touch no annotated person (CCM section 4.3).

    ``boxes`` is the data set whose detector file and annotations are compared.
    """

    boxes: str
    min_score: Share = 0.5


class DataSpec(Spec):
    """``[data]``: the sources by the CCM paper's letters, and the validation set.

    ``ratios`` give, per letter, how many samples an epoch draws for each sample of C; a source without a
    ratio is shown whole once an epoch. ``loss_weights`` are factors on the loss of each letter's people, 1
    where none is given.
    """

    A: str = ""
    C: str = ""
    H: HardNegativesSpec | None = None
    U: str = ""
    val: str = ""
    val_boxes: BoxSource = "detections"
    ratios: dict[str, PositiveFloat] = {}
    loss_weights: dict[str, PositiveFloat] = {}

    @field_validator("ratios")
    @classmethod
    def _ratio_letters(cls, value: dict[str, float]) -> dict[str, float]:
        if set(value) - set("AHU"):
            raise ValueError("ratios are named A, H or U; C is what they are counted against")
        return value

    @field_validator("loss_weights")
    @classmethod
    def _weight_letters(cls, value: dict[str, float]) -> dict[str, float]:
        if set(value) - set("ACHU"):
            raise ValueError("loss weights are named A, C, H or U")
        return value


class AugmentationSpec(Spec):
    """``[augmentation]``: how views of people are drawn, HRNet's way by default (data/augment.py)."""

    flip: Share = 0.5
    distribution: Literal["normal", "uniform"] = "normal"
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.35
    rotation: Annotated[float, Field(ge=0, le=90)] = 45.0
    rotation_probability: Share = 0.6
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    margins: tuple[Margin, Margin] | None = None
    extension: tuple[Share, Share] = (0.0, 0.0)
    zoom: Annotated[float, Field(gt=0, le=2)] = 1.0
    half_body: Share = 0.3
    half_body_min_keypoints: PositiveInt = 8
    half_body_padding: Margin = 1.5


class ScheduleSpec(Spec):
    """``[training.schedule]``: warm-up, then cosine or linear to zero, or steps at epochs.

    Attributes:
        kind: how the rate falls.
        warmup_steps: steps of the linear warm-up.
        warmup_from: share of the rate that the warm-up rises from (MSPN 0.1).
        milestones: epochs at which a step schedule multiplies the rate by ``factor``.
        restart: every phase runs the whole schedule, as when a trained network is fine-tuned; otherwise the
            phases share one.
    """

    kind: Literal["cosine", "linear", "step"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    warmup_from: Share = 0.0
    restart: bool = False
    milestones: tuple[PositiveFloat, ...] = ()
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _milestones_belong_to_steps(self) -> ScheduleSpec:
        if (self.kind == "step") != bool(self.milestones):
            raise ValueError('milestones go with kind = "step", and only with it')
        return self


class ResamplingSpec(Spec):
    """``[training.resampling]``: later stages see the people that the stage before does badly.

    The Megvii 2018 report's curriculum, which trained stage by stage. Here the stages train together: at the
    start of every due epoch each stage looks at all people of C, upright in their plain boxes, and until the
    next time whoever reaches the threshold's OKS under a stage weighs nothing in the losses of the stage
    after it. What a look finds is independent of the look before, so people come back when a stage gets
    worse at them. People of A and U and hard negatives are shown to all stages.

    Attributes:
        thresholds: OKS below which a person is shown, of stage 2, stage 3, ... (0.8 and 0.6 in the report).
        after: epochs, over all phases, in which everyone is shown to all stages before the first look.
        every: epochs from one look to the next.
    """

    thresholds: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
    after: PositiveInt = 1
    every: PositiveInt = 1


class TrainingSpec(Spec):
    """``[training]``: the loop.

    Attributes:
        phases: sources shown together, phase by phase, such as ``["ACHU", "CH"]``, or the paper's
            ``"ACHU -> CH"``; none where the recipe's weights are already trained.
        epochs: passes over C (over the first source where a phase lacks C), per phase.
        steps: steps per phase in place of ``epochs``, which makes budgets equal whatever sources hold.
        layer_decay: factor on the learning rate from one layer of a transformer to the one before it, towards
            the image (ViTPose 0.75 to 0.85), which also frees biases, norms and positions of weight decay; 1
            for none.
        clip_norm: greatest norm of all gradients together; 0 for any.
        ema: decay of the weight average that is validated and kept; 0 for none.
        ohkm: keypoints that count where a network output is trained with OHKM.
        keypoint_weights: factors on the loss of keypoints by name, 1 where none is given (HRNet has 1.2 for
            elbows and knees, 1.5 for wrists and ankles as an option).
        resampling: which people the later stages of a multi-stage network see; all where it is not given.
        zero_unseen: the Megvii way with keypoints of C that are not visible (v below 2: occluded, unlabelled
            or outside the crop): outputs without OHKM learn an empty map for them. Otherwise, in outputs with
            OHKM, and with A and U, which lack labels of keypoints that are there, labelled ones (v above 0)
            learn their target and the others are masked.
        validate_every: epochs between validations (the last epoch always is); 0 for the end only.
        checkpoint_every: steps between checkpoints.
        workers: training processes; more than one needs Ray.
    """

    phases: tuple[str, ...] = ()
    epochs: tuple[PositiveInt, ...] = ()
    steps: tuple[PositiveInt, ...] = ()
    batch_size: PositiveInt = 32
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    schedule: ScheduleSpec = ScheduleSpec()
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ohkm: PositiveInt = 8
    keypoint_weights: dict[str, PositiveFloat] = {}
    resampling: ResamplingSpec | None = None
    zero_unseen: bool = False
    max_steps: PositiveInt | None = None
    validate_every: Annotated[int, Field(ge=0)] = 0
    checkpoint_every: PositiveInt = 200
    workers: PositiveInt = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("phases", mode="before")
    @classmethod
    def _in_arrows(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [phase.strip() for phase in value.replace("→", "->").split("->")]
        return tuple(value) if isinstance(value, list) else value  # a strict model no longer sees JSON here

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
        if self.epochs and self.steps:
            raise ValueError("phases last epochs or steps, not both; the other must be []")
        if len(self.epochs or self.steps) != len(self.phases):
            raise ValueError(f"{'steps' if self.steps else 'epochs'} must hold one number per phase")
        return self


class RecipeSpec(Spec):
    """A recipe document.

    ``weights`` names a safetensors file (what ``kpkit import-weights`` writes), relative to the document.
    Training starts from it; a recipe without training phases is a member as it is. ``start`` names another
    recipe instead, which is trained first; training starts from its weights, heads of another skeleton being
    carried by keypoint name: A -> C with a network of AI Challenger's own 14 keypoints is one recipe of
    ``network.skeleton = "aic14"`` and one that starts from it. A refiner takes the encoder alone of a
    network that finds keypoints, blind to the pose at first.
    """

    kind: Literal["recipe"]
    about: About = About()
    weights: str = ""
    start: str = ""
    network: NetworkSpec
    codec: CodecSpec = CodecSpec()
    data: DataSpec = DataSpec()
    training: TrainingSpec = TrainingSpec()
    augmentation: AugmentationSpec = AugmentationSpec()
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    refinement: RefinementSpec | None = None
    datasets: dict[str, DatasetSpec] = {}

    @model_validator(mode="after")
    def _refiners_learn_from_labels(self) -> RecipeSpec:
        if self.refinement and (
            set("".join(self.training.phases)) - set("C") or self.network.skeleton != "coco17"
        ):
            raise ValueError("a refiner learns from C alone, on the skeleton coco17")
        if self.refinement and self.refinement.ensemble and not (self.refinement.folds or self.data.val):
            raise ValueError("refinement.ensemble looks at data.val, which is not named; or give it folds")
        return self

    @model_validator(mode="after")
    def _sources_are_named(self) -> RecipeSpec:
        if self.start and (self.weights or not self.training.phases):
            raise ValueError("start goes with training.phases, and without weights")
        if not self.training.phases and not self.weights:
            raise ValueError("a recipe needs training.phases, or weights that are already trained")
        for letter in sorted(set("".join(self.training.phases))):
            if not getattr(self.data, letter):
                raise ValueError(f"a phase shows {letter}, but data.{letter} is not named")
        if self.poses.scoring == "learned":
            raise ValueError('poses.scoring = "learned" is for ensembles and submissions')
        known = SKELETONS[self.network.skeleton].keypoints
        for name in self.training.keypoint_weights:
            if name not in known:
                skeleton = self.network.skeleton
                raise ValueError(
                    f"training.keypoint_weights names {name!r}, no keypoint of {skeleton}; "
                    + did_you_mean(name, known)
                )
        if self.training.resampling and "C" not in "".join(self.training.phases):
            raise ValueError("training.resampling judges the people of C, but no phase shows C")
        return self
