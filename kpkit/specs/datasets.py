"""Data sets by name: which files they are, where they may lie under ``--data DIR``, who publishes them.

A name may ask for a part of the pictures (core/parts.py): ``coco_train2017@1of5`` is the first of five folds
with its people and detections, ``coco_train2017@not1of5`` all other pictures.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.core.parts import Part, whole_and_part
from kpkit.specs.base import Spec, did_you_mean

COCO_PAGE = "https://cocodataset.org/#download"
AIC_PAGE = "https://github.com/AIChallenger/AI_Challenger_2017"


SkeletonName = Literal["coco17", "aic14"]
"""Names of core/skeletons.py."""
VisibilityName = Literal["aic", "coco", "inverted", "openpose"]
"""Names of core/visibility.py."""


class DatasetSpec(Spec):
    """A data set of the user's own: ``[datasets.NAME]`` in a document. Paths are relative to ``--data``.

    Attributes:
        skeleton: the keypoints its annotations hold: ``"aic14"`` for format ``aic``, and for AI Challenger
            files that were converted to COCO's format.
        visibility: what its visibility codes mean; by default those of the format. ``"aic"`` is 1 visible,
            2 hidden, 3 unlabelled; ``"coco"`` 2, 1, 0; ``"inverted"`` 1, 2, 0; ``"openpose"`` 1, 0, 2. A
            file that contradicts it is refused.
    """

    format: Literal["coco", "images", "aic"]
    annotations: str
    images: str
    detections: str = ""
    truth: str = ""
    skeleton: SkeletonName = Field(default_factory=lambda given: _skeleton(given.get("format")))
    visibility: VisibilityName = Field(default_factory=lambda given: _visibility(given.get("format")))
    missing_pictures: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def _aic_has_one_skeleton(self) -> DatasetSpec:
        if self.format == "aic" and self.skeleton != "aic14":
            raise ValueError('format = "aic" holds skeleton = "aic14"')
        return self


def _skeleton(format: str | None) -> SkeletonName:
    """The keypoints a format holds where nobody says otherwise."""
    return "aic14" if format == "aic" else "coco17"


def _visibility(format: str | None) -> VisibilityName:
    """The codes a format has where nobody says otherwise."""
    return "aic" if format == "aic" else "coco"


@dataclass(frozen=True)
class Known:
    """A published data set: candidate places of each file, in order of preference, and its publisher."""

    format: Literal["coco", "images", "aic"]
    annotations: tuple[str, ...]
    images: tuple[str, ...]
    detections: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    published: dict[str, str] = field(default_factory=dict)


def _coco(split: str, archive: str, pictures: str = "", truth: str = "") -> Known:
    labelled = split in ("train2017", "val2017")
    stem = f"person_keypoints_{split}" if labelled else f"image_info_{split}"
    pictures = pictures or split
    person = "coco/person_detection_results/COCO_{}_detections{}_person.json{}"
    detections = [person.format(split, "", end) for end in ("", ".gz")]
    # the names under which the usual box files of the field circulate
    detections += [person.format(split, f"_AP_H_{ap}", end) for ap in ("56", "609") for end in ("", ".gz")]
    return Known(
        format="coco" if labelled else "images",
        annotations=tuple(f"coco/annotations/{stem}.json{end}" for end in ("", ".gz")),
        images=(f"coco/{pictures}", f"coco/images/{pictures}"),
        detections=tuple(detections),
        truth=(f"sealed/{truth}",) if truth else (),
        published={
            "annotations": f"{archive} of {COCO_PAGE}",
            "images": f"{pictures}.zip of {COCO_PAGE}",
            "detections": "not published by COCO: run a person detector, or use the box files of the "
            "HRNet or SimpleBaseline repositories",
        },
    )


def _aic(part: str, date: str, pictures_date: str) -> Known:
    stem = f"keypoint_{part}"
    outer = f"aic/ai_challenger_{stem}_{date}/"
    return Known(
        format="aic",
        annotations=tuple(f"{root}{stem}_annotations_{date}.json" for root in ("aic/", outer)),
        images=tuple(f"{root}{stem}_images_{pictures_date}" for root in ("aic/", outer)),
        published={
            "annotations": f"AI Challenger 2017, see {AIC_PAGE} (research use; its links come and go)",
            "images": f"AI Challenger 2017, see {AIC_PAGE} (research use; its links come and go)",
        },
    )


_LABELS, _TESTS = "annotations_trainval2017.zip", "image_info_test2017.zip"
KNOWN: dict[str, Known] = {
    "coco_train2017": _coco("train2017", _LABELS),
    "coco_val2017": _coco("val2017", _LABELS),
    "coco_unlabeled2017": _coco(
        "unlabeled2017", "image_info_unlabeled2017.zip", truth="person_keypoints_unlabeled2017.json"
    ),
    "coco_test-dev2017": _coco(
        "test-dev2017", _TESTS, pictures="test2017", truth="person_keypoints_test-dev2017.json"
    ),
    # the challenge is entered with the whole of test2017; which pictures count is the server's secret
    "coco_test2017": _coco("test2017", _TESTS, truth="person_keypoints_test-challenge2017.json"),
    "aic_train": _aic("train", "20170909", "20170902"),
    "aic_val": _aic("validation", "20170911", "20170911"),
}


JUDGED = ("coco_val2017", "coco_test-dev2017", "coco_test2017", "aic_val")
"""Data sets that results are judged on: nobody trains on their pictures."""


@dataclass(frozen=True)
class Dataset:
    """A data set found on disk.

    ``detections`` and ``truth`` are None where the data set has none (``truth``: the sealed annotations of a
    practice world's test split). ``skeleton`` and ``visibility`` say how the annotations are to be read.
    ``more_detections``: files of further detectors, where an ensemble names them. ``cache``: where a run
    keeps the annotations as arrays. ``part``: the files hold all pictures, the data set only these.
    """

    name: str
    format: str
    annotations: Path
    images: Path
    detections: Path | None
    truth: Path | None
    skip_missing: bool = False
    skeleton: SkeletonName = "coco17"
    visibility: VisibilityName = "coco"
    more_detections: tuple[Path, ...] = ()
    cache: Path | None = None
    part: Part | None = None

    @property
    def whole(self) -> str:
        """Its name without the part."""
        return self.name.removesuffix(f"@{self.part}")

    @property
    def declared(self) -> str:
        """What is declared of the annotations beyond their format: part of what a result was made from."""
        usual = self.skeleton == _skeleton(self.format) and self.visibility == _visibility(self.format)
        return "" if usual else f"{self.skeleton} {self.visibility}"


def data_root(given: str | Path | None = None) -> Path:
    """The folder of data sets: ``--data``, else ``KPKIT_DATA``. Raises InputError when there is neither."""
    root = given or os.environ.get("KPKIT_DATA")
    if not root:
        raise InputError("no data folder is named", remedy="give --data DIR or set KPKIT_DATA")
    path = Path(root)
    if not path.is_dir():
        raise InputError("the data folder does not exist", file=path, remedy="give --data DIR")
    return path


def split_name(name: str) -> str:
    """A data set's name without ``coco_``: ``"val2017"``."""
    return name.removeprefix("coco_")


def placed_in_split(pattern: str, name: str) -> str:
    """A file's place with ``{split}`` replaced by the data set's."""
    return pattern.replace("{split}", split_name(name))


def known_name(name: str, own: dict[str, DatasetSpec]) -> tuple[str, Part | None]:
    """A data set's name and its part; raises InputError for a name that is no data set's."""
    whole, part = whole_and_part(name, own)
    if whole not in own and whole not in KNOWN:
        raise InputError(f"unknown data set {whole!r}", remedy=did_you_mean(whole, [*KNOWN, *own]))
    return whole, part


def resolve(
    name: str,
    root: Path,
    own: dict[str, DatasetSpec] | None = None,
    *,
    need: tuple[str, ...] = (),
    pictures: bool = True,
    more: tuple[str, ...] = (),
) -> Dataset:
    """Find a data set's files.

    Args:
        name: a name of KNOWN, or of ``own``; a part of one behind an ``@``.
        root: the data folder.
        own: the document's ``[datasets]`` tables.
        need: of ``"detections"`` and ``"truth"``, what must be there as well.
        pictures: whether the folder of pictures must be there.
        more: further detectors' files under ``root``, which must be there; ``{split}`` is replaced.

    Raises:
        InputError: an unknown name; or the missing file, where it was looked for and who publishes it.
    """
    own = own or {}
    whole, part = known_name(name, own)
    known = _own(own[whole], root) if whole in own else KNOWN[whole]
    found: dict[str, Path | None] = {}
    for role in ("annotations", "images", "detections", "truth"):
        candidates = [root / place for place in getattr(known, role)]
        found[role] = next((path for path in candidates if path.exists()), None)
        wanted = role in need or role == "annotations" or (role == "images" and pictures)
        if found[role] is None and wanted:
            looked = candidates[0] if candidates else root
            what = "picture folder" if role == "images" else f"{role} file"
            raise InputError(
                f"data set {name}: the {what} is missing",
                file=looked,
                remedy=_remedy(known.published.get(role, ""), candidates),
            )
    assert found["annotations"]
    further = tuple(safe_join(root, placed_in_split(place, whole)) for place in more)
    absent = next((path for path in further if not path.is_file()), None)
    if absent is not None:
        cause = f"data set {name}: a further detector's file is missing"
        raise InputError(cause, file=absent, remedy="put it there or correct the document")
    return Dataset(
        name=name,
        format=known.format,
        annotations=found["annotations"],
        images=found["images"] or root / known.images[0],
        detections=found["detections"],
        truth=found["truth"],
        skip_missing=whole in own and own[whole].missing_pictures == "skip",
        skeleton=own[whole].skeleton if whole in own else _skeleton(known.format),
        visibility=own[whole].visibility if whole in own else _visibility(known.format),
        more_detections=further,
        part=part,
    )


def known_lists(root: Path) -> list[Dataset]:
    """Every published data set whose list is under ``root``, its pictures there or not."""
    found = []
    for name, known in KNOWN.items():
        places = {part: [root / p for p in getattr(known, part)] for part in ("annotations", "images")}
        there = {part: next((p for p in paths if p.exists()), None) for part, paths in places.items()}
        if there["annotations"]:
            images = there["images"] or places["images"][0]
            codes = _skeleton(known.format), _visibility(known.format)
            found.append(Dataset(name, known.format, there["annotations"], images, None, None, False, *codes))
    return found


def members_of(name: str) -> list[str]:
    """The known data sets a name stands for: ``"aic"`` for all of AI Challenger's; a full name for itself."""
    return [known for known in KNOWN if known.startswith(f"{name}_")] or [name]


def _own(spec: DatasetSpec, root: Path) -> Known:
    def place(text: str) -> tuple[str, ...]:
        if not text:
            return ()
        if not Path(text).is_absolute():
            safe_join(root, text)
        return (text,)

    return Known(
        spec.format, place(spec.annotations), place(spec.images), place(spec.detections), place(spec.truth)
    )


def _remedy(published: str, candidates: list[Path]) -> str:
    also = f", or put it at {candidates[1]}" if len(candidates) > 1 else ""
    if published:
        return f"it is published in {published}{also}" if "http" in published else published + also
    return "put it there or correct the document" + also
