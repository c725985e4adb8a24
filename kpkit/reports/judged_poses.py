"""What an ensemble was judged on: its poses as they were finished, and the labels of its data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.coco import read_annotations
from kpkit.data.load import in_part
from kpkit.data.results import read_poses
from kpkit.inference.finish import finish_poses
from kpkit.reports.manifests import MANIFEST, Entry
from kpkit.specs.base import parse
from kpkit.specs.datasets import Dataset, resolve
from kpkit.specs.poses import PosesSpec

POSES = "ensemble.npz"


@dataclass(frozen=True)
class JudgedPoses:
    """An ensemble's finished poses, and the truth of the pictures they are on.

    Attributes:
        dataset: where annotations and pictures lie.
        images: its pictures.
        truth: everybody annotated on them.
        poses: of the ensemble. Scores that were learned are replaced by the mean rule's: how they were
            learned only the entry's val set tells.
        rules: as the ensemble's document has them.
    """

    dataset: Dataset
    images: ImageTable
    truth: Instances
    poses: Instances
    rules: PosesSpec


def read_judged(entry: Entry, data: Path) -> JudgedPoses:
    """Read them.

    Args:
        entry: a finished ensemble on a labelled data set.
        data: the folder of data sets.

    Raises:
        InputError: the data set is not there, or the annotations are not those the ensemble was judged on.
    """
    dataset = resolve(str(entry.manifest.document.get("split", "")), data)
    if file_hash(dataset.annotations) != entry.manifest.inputs.get("boxes_annotations"):
        raise InputError(
            f"not the annotations that {entry.manifest.name} was judged on",
            file=dataset.annotations,
            remedy="name its data folder with --data",
        )
    images, truth = in_part(dataset, *read_annotations(dataset.annotations))
    rules = parse(PosesSpec, entry.manifest.document.get("poses", {}), entry.folder / MANIFEST)
    poses = finish_poses(read_poses(entry.folder / POSES), rules.model_copy(update={"scoring": "mean"}))
    return JudgedPoses(dataset, images, truth, poses, rules)
