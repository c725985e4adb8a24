"""The artefact that is sent: results file, zip, the validator's word, a verdict where truth is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.progress import Progress
from kpkit.data.coco import read_annotations
from kpkit.data.load import in_part, load_dataset
from kpkit.data.results import read_poses, read_results
from kpkit.evaluation.ap import evaluate
from kpkit.inference.finish import finish_poses
from kpkit.inference.learned_scores import LearnedScores
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.scoring import SCORES
from kpkit.specs.datasets import Dataset
from kpkit.specs.submission import EntrySpec, SubmissionSpec
from kpkit.submissions.validate import check_submission
from kpkit.submissions.write import write_submission


@dataclass
class SubmitJob(ArtefactJob):
    """Finish an ensemble's poses and write one entry.

    Args:
        spec, entry: the document and the entry of it.
        dataset: the split.
        poses: the folder of the ensemble's artefact on that split.
        scores: that of its artefact on val, where scores are learned.
    """

    spec: SubmissionSpec | None = None
    entry: EntrySpec | None = None
    dataset: Dataset | None = None
    poses: Path = Path()
    scores: Path | None = None

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Write, check, and judge against annotations or a world's sealed truth."""
        assert self.spec and self.entry and self.dataset
        loaded = load_dataset(self.dataset, check_pictures=False)
        learned = LearnedScores.read(self.scores / SCORES) if self.scores else None
        poses = finish_poses(read_poses(self.poses / BLEND), self.spec.poses, learned)
        written = write_submission(
            poses, work, profile=self.entry.profile, algorithm=self.spec.algorithm, images=loaded.images
        )
        problems = check_submission(written.zip, loaded.images, profile=self.entry.profile)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise InputError(f"the written submission fails the check: {errors[0].message}", file=written.zip)
        metrics: dict[str, Any] = {
            "json": written.json.name,
            "zip": written.zip.name,
            "poses": written.poses,
            "dropped": written.dropped,
            "pictures": len(loaded.images),
            "warnings": [asdict(problem) for problem in problems],
        }
        truth = self.dataset.annotations if self.dataset.format == "coco" else self.dataset.truth
        if truth is not None:
            # judged as the server would: from the file, on the pictures the truth knows
            images, people = in_part(self.dataset, *read_annotations(truth, cache=self.dataset.cache))
            metrics["judged"] = evaluate(
                people, read_results(written.json), images=images, only_truth_images=True
            )
            metrics["judged_pictures"] = len(images)
        return metrics
