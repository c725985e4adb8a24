"""Time and memory of mining hard negatives and selecting pseudo labels at COCO's full size, without pictures.

    python benchmarks/select_labels.py PERSON_KEYPOINTS.json[.gz] [--detections 500000] [--rounds 3]

Detections are drawn round the file's people and beside them; two teachers see a pose in each, with errors.
Every measured step runs in a process of its own, from the files it reads to the file it writes, so that peak
memory is its own. Mining is also done as a plain loop over boxes, as a script would.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.data.coco import read_annotations, write_image_list
from kpkit.data.images import write_image
from kpkit.data.results import write_detections
from kpkit.specs.datasets import Dataset

MEASURE = """
import resource, sys, time
sys.path.insert(0, {here!r})
import select_labels
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
told = select_labels.{step}(select_labels.Path(sys.argv[1]))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("MEASURED", seconds, peak / 1024, before / 1024, told)
"""
STEPS = {
    "mine": "mine: people and detections read, negatives written",
    "mine_by_loop": "the same, mined in a loop over boxes",
    "choose": "choose: threshold solved, box list written (every detection passes)",
    "select": "select: agreement, NMS, rules, ignore regions, COCO file, contact sheet",
}


def draw(folder: Path, annotations: Path, wanted: int) -> None:
    """Write what the steps read."""
    images, people = read_annotations(annotations)
    rng = generator(0, "detections")
    near = rng.choice(np.flatnonzero(people.num_labelled > 0), int(0.9 * wanted))
    size = people.box[near, 2:]
    box = np.concatenate([people.box[near, :2] + rng.normal(0, 0.05, size.shape) * size, size], axis=1)
    box[:, 2:] *= rng.uniform(0.9, 1.1, size.shape)
    rest = wanted - len(near)
    aside = np.concatenate([rng.uniform(0, 500, (rest, 2)), rng.uniform(20, 150, (rest, 2))], axis=1)
    detections = Instances.of(
        np.concatenate([people.image_id[near], rng.choice(images.id, rest)]),
        np.concatenate([box, aside]),
        score=rng.uniform(0.05, 1, wanted),
        source="D",
    )
    write_detections(folder / "detections.json", detections)
    (folder / "people").symlink_to(annotations.resolve())
    write_image(folder / "p.jpg", np.full((640, 640, 3), 128, np.uint8))
    write_image_list(folder / "images.json", type(images).of(images.id, ["p.jpg"] * len(images)))


def mine(folder: Path) -> str:
    """What ``kpkit mine`` does behind its list of pictures."""
    from kpkit.data.results import read_detections
    from kpkit.mining.hard_negatives import counts_by_score, mine_hard_negatives

    _, people = read_annotations(folder / "people")
    negatives = mine_hard_negatives(read_detections(folder / "detections.json"), people)
    write_detections(folder / "negatives.json", negatives)
    return str(counts_by_score(negatives))


def mine_by_loop(folder: Path) -> str:
    """Box by box against the people of its picture."""
    from kpkit.core.boxes import box_iou
    from kpkit.data.results import read_detections

    _, people = read_annotations(folder / "people")
    detections = read_detections(folder / "detections.json")
    detections = detections[detections.score >= 0.5].sorted_by_image()
    of_picture: dict[int, list[int]] = {}
    for row, image in enumerate(people.image_id.tolist()):
        of_picture.setdefault(image, []).append(row)
    kept = []
    for row, image in enumerate(detections.image_id.tolist()):
        others = people.box[of_picture.get(image, [])]
        if not (box_iou(detections.box[row : row + 1], others) > 0).any():
            kept.append(row)
    write_detections(folder / "negatives.json", detections[np.array(kept)])
    return f"{len(kept)} of score 0.5"


def choose(folder: Path) -> str:
    """What a labelling run does before its teachers look."""
    from kpkit.data.load import load_boxes, load_dataset
    from kpkit.pipeline.pose_shards import PoseShards
    from kpkit.pseudo_labels.selection import people_per_picture, solve_threshold

    images, people = read_annotations(folder / "people")
    loaded = load_dataset(_dataset(folder), check_pictures=False)
    boxes = load_boxes(_dataset(folder), loaded, "detections")
    found = solve_threshold(boxes.score, len(loaded.images), people_per_picture(people, len(images)))
    PoseShards(folder / "teachers/poses").begin(boxes, {"box_threshold": 0.0})
    return f"matched threshold {found.score:.4f}, {found.reached:.2f} persons per picture"


def look(folder: Path) -> None:
    """Two teachers' poses in every box, as shards; not measured."""
    from kpkit.pipeline.pose_shards import PoseShards

    shards = PoseShards(folder / "teachers/poses")
    place = np.random.default_rng(0).uniform(0.1, 0.9, (17, 2))
    for shard in range(len(shards)):
        rng = generator(1, "poses", shard)
        boxes = shards.boxes_of(shard)
        size = boxes.box[:, None, 2:]
        points = boxes.box[:, None, :2] + (place + rng.normal(0, 0.03, (len(boxes), 17, 2))) * size
        scores = rng.uniform(0.3, 1, (len(boxes), 17, 1))
        poses = {
            name: boxes.with_(
                keypoints=np.concatenate([points + rng.normal(0, 0.01, points.shape) * size, scores], axis=2)
            )
            for name in ("blend", "one", "two")
        }
        shards.write(shard, poses.pop("blend"), poses)


def select(folder: Path) -> str:
    """What a labelling run does behind its teachers."""
    from kpkit.core.progress import silent
    from kpkit.pipeline.artefacts import Artefact
    from kpkit.pipeline.label_job import LabelJob
    from kpkit.specs.pseudo_labels import PseudoLabelsSpec

    rules = {"min_keypoint_score": 0.6, "min_agreement": 0.2, "min_keypoints": 4, "ignore": 0.05}
    names = {"images": "coco_unlabeled2017", "labelled": "coco_train2017"}
    teachers = [{"recipe": "one"}, {"recipe": "two"}]
    spec = PseudoLabelsSpec.model_validate({"kind": "pseudo_labels", "teachers": teachers} | names | rules)
    artefact = Artefact("pseudo_labels", "bench", {}, {}, folder)
    job = LabelJob(artefact, spec=spec, images=_dataset(folder), poses={"images": folder / "teachers"})
    told = job.make(folder, silent)
    return f"{told['people']} people, {told['keypoints']} keypoints, {told['ignored']} regions to ignore"


def _dataset(folder: Path) -> Dataset:
    return Dataset("bench", "images", folder / "images.json", folder, folder / "detections.json", None)


def measured(step: str, folder: Path) -> tuple[float, float, str]:
    """Seconds, peak MiB and what it told, of one fresh process."""
    code = MEASURE.format(here=str(Path(__file__).parent), step=step)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    line = next(line for line in done.stdout.splitlines() if line.startswith("MEASURED"))
    _, seconds, peak, _, told = line.split(maxsplit=4)
    return float(seconds), float(peak), told


def main() -> None:
    """Run the rounds and print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--detections", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, options.annotations, options.detections)
        measured("choose", folder)
        look(folder)
        found: dict[str, list[tuple[float, float, str]]] = {step: [] for step in STEPS}
        for _ in range(options.rounds):
            for step in STEPS:
                found[step].append(measured(step, folder))
    print(f"{options.annotations.name}, {options.detections:,} detections, {options.rounds} rounds, medians")
    for step, runs in found.items():
        seconds, peak = (statistics.median(run[k] for run in runs) for k in (0, 1))
        print(f"{STEPS[step]}\n    {seconds:.1f} s, peak {peak:.0f} MiB: {runs[0][2]}")


if __name__ == "__main__":
    main()
