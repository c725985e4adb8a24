"""Faulty data: one sentence with file, row, cause, remedy; exit code 2; nothing half-written; then mended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import DOCUMENTS, Kpkit, World

TRAIN = "coco/annotations/person_keypoints_train2017.json"
DETECTIONS = "coco/person_detection_results/COCO_train2017_detections_person.json"
AIC = "aic/keypoint_train_annotations_20170909.json"
PLAIN = DOCUMENTS / "recipes" / "nano_plain.toml"
CPN = DOCUMENTS / "recipes" / "nano_cpn.toml"


def left_in(runs: Path) -> list[str]:
    """Everything under a runs folder but its locks and remembered hashes."""
    own = {".lock", ".locks", ".hashes.json", ".progress"}
    found = [path.relative_to(runs) for path in runs.rglob("*")] if runs.exists() else []
    return sorted(str(p) for p in found if p.parts[0] not in own and len(p.parts) > 1)


def labelled(world: World) -> tuple[dict, int]:
    """The training annotations, and the row of a labelled person."""
    table = world.table(TRAIN)
    row = next(k for k, a in enumerate(table["annotations"]) if a["num_keypoints"] and not a["iscrowd"])
    return table, row


def broken_json(world: World) -> Path:
    return world.put(TRAIN, (world.root / TRAIN).read_bytes()[:-40])


def not_utf8(world: World) -> Path:
    return world.put(TRAIN, b'{"images": [{"id": 1, "file_name": "\xff"}], "annotations": []}')


def not_coco(world: World) -> Path:
    return world.put(TRAIN, [1, 2, 3])


def wrong_count(world: World) -> Path:
    table, row = labelled(world)
    table["annotations"][row]["keypoints"] = table["annotations"][row]["keypoints"][:42]
    return world.put(TRAIN, table)


def not_a_number(world: World) -> Path:
    table, row = labelled(world)
    table["annotations"][row]["keypoints"][0] = float("nan")
    return world.put(TRAIN, table)


def person_of_zero_size(world: World) -> Path:
    table, row = labelled(world)
    table["annotations"][row]["bbox"][2] = 0
    return world.put(TRAIN, table)


def image_id_twice(world: World) -> Path:
    table = world.table(TRAIN)
    table["images"][3]["id"] = table["images"][1]["id"]
    return world.put(TRAIN, table)


def unknown_image(world: World) -> Path:
    table, row = labelled(world)
    table["annotations"][row]["image_id"] = 987654321
    return world.put(TRAIN, table)


def name_leaves_folder(world: World) -> Path:
    table = world.table(TRAIN)
    table["images"][2]["file_name"] = "../../secret.jpg"
    return world.put(TRAIN, table)


def annotations_missing(world: World) -> Path:
    (world.root / TRAIN).unlink()
    return world.root / TRAIN


def picture_missing(world: World) -> Path:
    path = world.root / "coco/train2017" / world.table(TRAIN)["images"][4]["file_name"]
    path.unlink()
    return path


def picture_of_most(world: World) -> str:
    """The training picture with most labelled people: every one but the last is surely shown."""
    table, _ = labelled(world)
    shown = Counter(a["image_id"] for a in table["annotations"] if a["num_keypoints"] and not a["iscrowd"])
    (image, people), *_ = shown.most_common(1)
    assert people >= 2
    return "coco/train2017/" + next(i["file_name"] for i in table["images"] if i["id"] == image)


def picture_is_text(world: World) -> Path:
    return world.put(picture_of_most(world), b"<html>not found</html>")


def picture_cut_short(world: World) -> Path:
    name = picture_of_most(world)
    return world.put(name, (world.root / name).read_bytes()[:-200])


FAULTS: dict[Callable[[World], Path], tuple[str, ...]] = {
    broken_json: ("not valid JSON", "fetch or write the file again"),
    not_utf8: ("not UTF-8",),
    not_coco: ("is not a COCO person-keypoints file",),
    wrong_count: ("annotations[", "(id ", "'keypoints' has 42 numbers, must be 51"),
    not_a_number: ("annotations[", "holds NaN", "repair or leave out that row"),
    person_of_zero_size: (
        "annotations[",
        "the box has width 0",
        "both must be positive",
        "x, y, width, height",
    ),
    image_id_twice: ("images[3]", "occurs twice", "keep one"),
    unknown_image: ("annotations[", "image 987654321 is not in the file's images"),
    name_leaves_folder: ("images[2]", "'../../secret.jpg' leaves its folder", "relative"),
    annotations_missing: ("data set coco_train2017", "missing", "annotations_trainval2017.zip", "https://"),
    picture_missing: ("missing picture", "1 of 6 listed", "missing_pictures"),
    picture_is_text: ("not an image that can be decoded", "fetch the picture again"),
    picture_cut_short: ("cut short", "fetch the picture again"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_run_refuses_and_a_mended_one_works(
    fault: Callable[[World], Path], kpkit: Kpkit, world: World, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    file = fault(world)
    command = ("run", PLAIN, "--data", world, "--runs", runs, "--no-ray")
    said = kpkit(*command)
    assert said.code == 2
    assert said.sentence.startswith(f"{file}: ")
    for words in FAULTS[fault]:
        assert words in said.sentence
    assert said.out == ""
    # a training that had begun keeps its hidden work for resuming; nothing has a final name
    begun = fault in (picture_is_text, picture_cut_short)
    assert [p for p in left_in(runs) if not (begun and p.startswith("recipes/.nano_plain-"))] == []
    assert not [p for p in left_in(runs) if p.endswith(".tmp")]
    world.mend()
    again = kpkit(*command)
    assert again.code == 0, again.err
    assert "recipes/nano_plain: " in again.out
    assert [p for p in left_in(runs) if p.endswith("weights.safetensors")]
    assert not [p for p in left_in(runs) if "/." in p]


def detections_cut(world: World) -> Path:
    return world.put(DETECTIONS, (world.root / DETECTIONS).read_bytes()[:-30])


def detection_of_zero_size(world: World) -> Path:
    rows = world.table(DETECTIONS)
    rows[5]["bbox"][3] = 0.0
    return world.put(DETECTIONS, rows)


def detection_infinite(world: World) -> Path:
    rows = world.table(DETECTIONS)
    rows[2]["score"] = float("inf")
    return world.put(DETECTIONS, rows)


def detection_of_three_numbers(world: World) -> Path:
    rows = world.table(DETECTIONS)
    rows[1]["bbox"].pop()
    return world.put(DETECTIONS, rows)


def detections_missing(world: World) -> Path:
    (world.root / DETECTIONS).unlink()
    return world.root / DETECTIONS


DETECTION_FAULTS: dict[Callable[[World], Path], tuple[str, ...]] = {
    detections_cut: ("not valid JSON", "fetch or write the file again"),
    detection_of_zero_size: ("row 5 (image ", "and height 0, both must be positive"),
    detection_infinite: ("row 2 (image ", "infinity"),
    detection_of_three_numbers: ("row 1 (image ", "'bbox'", "4 numbers"),
    detections_missing: ("detections file is missing", "run a person detector"),
}


@pytest.mark.parametrize("fault", DETECTION_FAULTS, ids=lambda f: f.__name__)
def test_mining_refuses_faulty_detections(
    fault: Callable[[World], Path], kpkit: Kpkit, world: World, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    file = fault(world)
    command = ("mine", CPN, "--data", world, "--runs", runs)
    said = kpkit(*command)
    assert said.code == 2
    assert said.sentence.startswith(f"{file}: ")
    for words in DETECTION_FAULTS[fault]:
        assert words in said.sentence
    assert left_in(runs) == []
    world.mend()
    assert kpkit(*command).code == 0


def test_a_source_that_turns_out_empty(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    """A detector that is never sure leaves no hard negatives; annotations may label nobody."""
    hard = tmp_path / "recipes" / "hard.toml"
    hard.parent.mkdir()
    hard.write_text(
        'kind = "recipe"\nnetwork = { name = "cpn_resnet50", input_size = [64, 64] }\n'
        '[data]\nC = "coco_train2017"\nH = { boxes = "coco_train2017" }\n'
        '[training]\nphases = "CH -> C"\nepochs = [1, 1]\n'
    )
    command = ("run", hard, "--data", world, "--runs", tmp_path / "runs", "--no-ray")
    world.put(DETECTIONS, [row | {"score": 0.4} for row in world.table(DETECTIONS)])
    said = kpkit(*command)
    assert said.code == 2
    assert said.sentence == (
        "phase 'CH' shows source H, which holds no one; "
        "leave H out of training.phases, or change what data.H names"
    )
    world.mend()
    table, _ = labelled(world)
    for person in table["annotations"]:
        person["num_keypoints"], person["keypoints"] = 0, [0] * 51
    world.put(TRAIN, table)
    assert "phase 'CH' shows source C, which holds no one;" in kpkit(*command).sentence


def test_aic_people_of_a_wrong_count_or_in_cocos_codes(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    teacher = DOCUMENTS / "recipes" / "nano_teacher.toml"
    command = ("run", teacher, "--data", world, "--runs", tmp_path / "runs", "--no-ray")
    records = world.table(AIC)
    human, points = next(iter(records[1]["keypoint_annotations"].items()))
    records[1]["keypoint_annotations"][human] = points[:-3]
    file = world.put(AIC, records)
    sentence = kpkit(*command).sentence
    assert sentence.startswith(f"{file}: row 1 (image {records[1]['image_id']}, {human}): ")
    assert "39" in sentence and "42" in sentence
    records[1]["keypoint_annotations"][human] = [*points[:2], 0, *points[3:]]
    world.put(AIC, records)
    assert "1 visible, 2 labelled but not visible, 3 not labelled" in kpkit(*command).sentence


def test_every_missing_input_is_planned_and_one_is_told(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    (world.root / TRAIN).unlink()
    (world.root / AIC).unlink()
    document = DOCUMENTS / "submissions" / "nano.toml"
    planned = kpkit("plan", document, "--data", world, "--runs", tmp_path / "runs")
    assert planned.code == 0
    missing = [line for line in planned.out.splitlines() if line.startswith("missing: ")]
    assert [TRAIN in missing[0], AIC in missing[0]].count(True) == 1 and len(missing) == 2
    said = kpkit("run", document, "--data", world, "--runs", tmp_path / "runs", "--no-ray")
    assert said.code == 2
    assert said.only_sentence.endswith("(and 1 more: see kpkit plan)")
    assert left_in(tmp_path / "runs") == []


def test_a_loader_process_says_the_same(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    file = picture_is_text(world)
    command = ("run", PLAIN, "--data", world, "--runs", tmp_path / "runs", "--no-ray")
    said = kpkit(*command, "--loader-workers", 1)
    assert said.code == 2
    assert said.sentence == f"{file}: not an image that can be decoded; fetch the picture again"


@pytest.mark.ray
def test_under_ray_the_same_sentence(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    picture_is_text(world)
    command = ("run", PLAIN, "--data", world, "--runs")
    here = kpkit(*command, tmp_path / "here", "--no-ray")
    ray = kpkit(*command, tmp_path / "ray", "--cpus", 1)
    assert (here.code, ray.code) == (2, 2)
    assert ray.sentence == here.sentence
    assert not [p for p in left_in(tmp_path / "ray") if p.endswith((".tmp", "manifest.json"))]


def test_pictures_may_be_skipped_where_the_document_says_so(
    kpkit: Kpkit, world: World, tmp_path: Path
) -> None:
    missing = picture_missing(world)
    image = next(i["id"] for i in world.table(TRAIN)["images"] if i["file_name"] == missing.name)
    table, _ = labelled(world)
    people = [a for a in table["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    recipe = tmp_path / "recipes" / "skipping.toml"
    recipe.parent.mkdir()
    recipe.write_text(
        f'extends = "nano_plain"\ndata = {{ C = "train" }}\n[datasets.train]\nformat = "coco"\n'
        f'annotations = "{TRAIN}"\nimages = "coco/train2017"\nmissing_pictures = "skip"\n'
    )
    for base in ("nano_plain.toml", "nano_cpn.toml", "base/nano.toml"):
        (recipe.parent / base).parent.mkdir(exist_ok=True)
        (recipe.parent / base).write_text((DOCUMENTS / "recipes" / base).read_text())
    said = kpkit("run", recipe, "--data", world, "--runs", tmp_path / "runs", "--no-ray")
    assert said.code == 0, said.err
    (manifest,) = (tmp_path / "runs" / "recipes").glob("skipping-*/manifest.json")
    metrics = json.loads(manifest.read_text())["metrics"]
    assert metrics["pictures_skipped"] == 1
    assert metrics["people"] == {"C": sum(a["image_id"] != image for a in people)}
