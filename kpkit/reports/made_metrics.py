"""What manifests tell of artefacts made to be used: trainings, labels, negatives, heatmaps, studies."""

from __future__ import annotations

import msgspec


class FalseDetections(msgspec.Struct):
    """Detections on nobody that a recipe's network was shown, and its keypoints' mean score there."""

    boxes: int
    mean_keypoint_score: float


class DrawnKind(msgspec.Struct):
    """Share of the keypoints that have a kind of error, and the standard error of the drawn one."""

    intended: float
    drawn: float
    error: float


class Spread(msgspec.Struct):
    """Shares in equal bins from 0 to 1."""

    intended: list[float]
    drawn: list[float]


class DrawnFacts(msgspec.Struct):
    """Drawn poses beside what they are meant to be; see ``refinement.intended.synthesis_facts``."""

    poses: int
    keypoints: int
    kinds: dict[str, DrawnKind]
    similarity: dict[str, Spread]
    oks: Spread
    distance: dict[str, float]


class DrawnJudged(msgspec.Struct):
    """Drawn poses judged: figures 0 to 1, keypoints by kind of error."""

    AP: float
    AP50: float
    AR: float
    errors: dict[str, int]


class DrawnRefined(msgspec.Struct):
    """Poses drawn of a refiner's validation set, before it saw them and after."""

    before: DrawnJudged
    after: DrawnJudged
    drawn: DrawnFacts | None = None


class RecipeMetrics(msgspec.Struct):
    """A training: crops shown, people per source letter, cost of one crop, figures 0 to 1.

    Of weights that were taken as they are: no crops, and no loss. ``refined``: of a refiner, whose ``val`` is
    of labels with drawn errors, refined.
    """

    parameters: int
    gmacs: float
    crops: int = 0
    loss: float | None = None
    people: dict[str, int] = {}
    val: dict[str, float] = {}
    false_detections: FalseDetections | None = None
    refined: DrawnRefined | None = None

    @property
    def found(self) -> dict[str, float]:
        """Figures of poses found on the validation set; none of a refiner's, which was shown the labels."""
        return {} if self.refined else self.val


class AuditedKeypoint(msgspec.Struct):
    """Labels of one keypoint name on an audit set: kept, right within two OKS, where the truth has none."""

    floor: float | None
    kept: int
    right_50: int
    right_75: int
    unknown: int


class AuditMetrics(msgspec.Struct):
    """The rules of pseudo labels tried on a labelled set.

    Attributes:
        split: the data set.
        people: labelled there; of them ``nobody`` where the truth has no one, and ``unjudged`` where it has
            someone without keypoints.
        keypoints: by name.
    """

    split: str
    pictures: int
    people: int
    nobody: int
    unjudged: int
    keypoints: dict[str, AuditedKeypoint]


class LabelMetrics(msgspec.Struct):
    """Pseudo labels: how boxes were chosen, what was kept."""

    box_threshold: float
    persons_per_picture: float
    persons_per_picture_labelled: float
    pictures: int
    boxes: int
    people: int
    keypoints: int
    keypoints_per_person: float
    ignored: int = 0
    audit: AuditMetrics | None = None


class TeacherMetrics(msgspec.Struct):
    """Poses of a pseudo-label document's teachers: how boxes were chosen, and the files they lie in."""

    box_threshold: float
    persons_per_picture: float
    persons_per_picture_labelled: float
    pictures: int
    boxes: int
    shards: int


class NegativeMetrics(msgspec.Struct):
    """Hard negatives: how many reach each score."""

    detections: int
    negatives: int
    pictures: int
    by_score: dict[str, int]


class Moved(msgspec.Struct):
    """How far packing moves decoded points, heatmap pixels."""

    points: int
    p50: float
    p99: float
    max: float


class HeatmapMetrics(msgspec.Struct):
    """A member's stored heatmaps."""

    boxes: int
    boxes_hash: str
    pictures: int
    mirrored: bool
    format: str
    codec: str
    bytes: int
    share_of_float32: float
    moved: Moved


class StudyRun(msgspec.Struct):
    """One training of a study: who was shown by source letter, figures 0 to 1, its artefact's key."""

    recipe: str
    seed: int
    strategy: str
    steps: int
    people: dict[str, int]
    val: dict[str, float]
    artefact: str
    false_score: float | None = None


class StudyMetrics(msgspec.Struct):
    """A study: its trainings in document order, and the AP that papers tell of their recipes' originals."""

    runs: list[StudyRun]
    published: dict[str, float] = {}
