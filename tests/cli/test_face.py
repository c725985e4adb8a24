"""The public face: every command is there and helps; exit codes; JSON for machines; what plan tells."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kpkit.cli import main as main_module

from .conftest import COUNTS, DOCUMENTS, Kpkit, World

COMMANDS = [
    "demo", "run", "plan", "train", "predict", "mine", "pseudo-label", "ensemble", "submit", "evaluate",
    "check", "judge-labels", "refine", "search", "ablate", "compare", "models", "import-weights",
    "export-onnx", "export-labels", "import-labels", "world", "data", "doctor",
]  # fmt: skip
NANO = DOCUMENTS / "submissions" / "nano.toml"
NANO_GRAPH = {
    "hard_negatives/coco_train2017", "recipes/nano_teacher", "teachers/nano_teacher-on-unlabeled2017",
    "pseudo_labels/nano", "recipes/nano_cpn",
    "recipes/nano_mspn", "recipes/nano_ccm", "ensembles/nano-on-val2017", "ensembles/nano-on-test-dev2017",
    "submissions/nano-test-dev2017", "ensembles/nano-on-test2017", "submissions/nano-test-challenge2017",
}  # fmt: skip


def test_help_lists_every_command(kpkit: Kpkit) -> None:
    said = kpkit("--help")
    assert said.code == 0
    listed = re.findall(r"^  ([a-z-]+)  ", said.out, re.MULTILINE)
    assert sorted(set(listed) - {"--help"}) == sorted(COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, "data check"])
def test_every_command_helps(command: str, kpkit: Kpkit) -> None:
    said = kpkit(*command.split(), "--help")
    assert said.code == 0 and said.err == ""
    assert said.out.startswith(f"Usage: kpkit {command} ")
    described = said.out.split("\n\n")[1].strip()
    assert described and not described.startswith("Options")


def test_nothing_asked_for_shows_the_help(kpkit: Kpkit) -> None:
    said = kpkit()
    assert said.code == 2
    assert "pseudo-label" in said.err and "error" not in said.err.splitlines()[0]


def test_as_a_user_types_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kpkit.cli.main", "run", "nowhere/at_all.toml"]
    plain = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert plain.returncode == 2 and plain.stdout == ""
    assert plain.stderr == "error: nowhere/at_all.toml: no such document\n"
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, cwd=tmp_path)
    assert debug.returncode == 2
    assert debug.stderr.startswith("Traceback") and debug.stderr.endswith(plain.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_is_code_1_and_one_line(
    kpkit: Kpkit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(**_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(main_module, "app", breaks)
    said = kpkit("run", "x")
    assert said.code == 1
    assert said.only_sentence == (
        "kpkit broke (RuntimeError: first line; second line); add --debug for the traceback"
    )


def test_stopping_says_how_to_go_on(kpkit: Kpkit, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "app", stopped)
    said = kpkit("run", "x")
    assert said.code == 1 and said.err.startswith("stopped; run the same command again")


def test_plan_of_a_world(kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    said = kpkit("plan", NANO, "--data", drawn, "--runs", tmp_path / "runs")
    assert said.code == 0 and said.err == "" and "missing" not in said.out
    names = {line.split()[0].rsplit("-", 1)[0] for line in said.out.splitlines() if "/" in line.split(" ")[0]}
    assert names == NANO_GRAPH
    assert "12 of 12 to build, about " in said.out
    assert not (tmp_path / "runs").exists()


def test_plan_as_json(kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    plan = json.loads(kpkit("plan", NANO, "--data", drawn, "--runs", tmp_path / "runs", "--json").out)
    assert plan["bytes"] == sum(node["bytes"] for node in plan["nodes"]) > 0
    assert plan["free_bytes"] > 0
    nodes = {node["name"].rsplit("-", 1)[0]: node for node in plan["nodes"]}
    assert set(nodes) == NANO_GRAPH
    assert {node["state"] for node in nodes.values()} == {"run"}
    # an epoch of A and C, one of C, in whole batches of eight; a member waits for what is mined and labelled
    table = json.loads((drawn / "coco/annotations/person_keypoints_train2017.json").read_bytes())
    shown = sum(a["num_keypoints"] > 0 and not a["iscrowd"] for a in table["annotations"])
    records = json.loads((drawn / "aic/keypoint_train_annotations_20170909.json").read_bytes())
    others = sum(len(record["keypoint_annotations"]) for record in records)
    steps = min((shown + others) // 8 + shown // 8, 6)
    assert nodes["recipes/nano_teacher"]["crops"] == 8 * steps > 0
    assert nodes["recipes/nano_cpn"]["crops"] is None
    assert nodes["recipes/nano_cpn"]["needs"] == ["hard_negatives/coco_train2017", "pseudo_labels/nano"]
    detections = json.loads(
        (drawn / "coco/person_detection_results/COCO_val2017_detections_person.json").read_bytes()
    )
    assert nodes["ensembles/nano-on-val2017"]["crops"] == len(detections) * 3 * 2


def test_an_entry_names_its_own_boxes(kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    ensemble = DOCUMENTS / "ensembles" / "nano.toml"
    found = {}
    for source in ("detections", "image"):
        document = tmp_path / f"{source}.toml"
        document.write_text(
            f'kind = "submission"\nensemble = "{ensemble}"\nentries = [{{ profile = "test-dev2017", '
            f'images = "coco_test-dev2017", boxes = {{ source = "{source}" }} }}]\n'
        )
        plan = json.loads(kpkit("plan", document, "--data", drawn, "--runs", tmp_path / "runs", "--json").out)
        found[source] = {node["name"].rsplit("-", 1)[0]: node for node in plan["nodes"]}
    split, val = "ensembles/nano-on-test-dev2017", "ensembles/nano-on-val2017"
    assert found["image"][split]["crops"] == COUNTS["test-dev2017"] * 3 * 2  # members, and mirrored
    assert found["image"][split]["name"] != found["detections"][split]["name"]
    assert found["image"][val] == found["detections"][val]


def test_plan_without_data(kpkit: Kpkit, tmp_path: Path) -> None:
    said = kpkit("plan", NANO, "--runs", tmp_path / "runs")
    assert said.code == 0 and said.err == ""
    assert said.out.count("missing input") == len(NANO_GRAPH)
    assert "missing: no data folder is named; give --data DIR or set KPKIT_DATA" in said.out
    plan = json.loads(kpkit("plan", NANO, "--runs", tmp_path / "runs", "--json").out)
    assert all(node["missing"] and node["state"] == "missing input" for node in plan["nodes"])


def test_data_check_counts_what_is_there(kpkit: Kpkit, drawn: Path) -> None:
    said = kpkit("data", "check", "--data", drawn)
    assert said.code == 0 and said.err == ""
    lines = dict(line.split(": ", 1) for line in said.out.splitlines())
    assert lines["coco_train2017"].startswith(f"{COUNTS['train2017']} pictures, ")
    assert re.search(r"\d+ people, \d+ with keypoints, .* \d+ detections$", lines["coco_val2017"])
    assert lines["coco_test-dev2017"].endswith("sealed truth")
    assert "the annotations file is missing" in lines["aic_val"]


@pytest.mark.parametrize(
    ("dataset", "gone", "publisher"),
    [
        (
            "coco_train2017",
            "coco/annotations/person_keypoints_train2017.json",
            "annotations_trainval2017.zip",
        ),
        ("coco_val2017", "coco/val2017", "val2017.zip"),
        ("coco_unlabeled2017", "coco/annotations/image_info_unlabeled2017.json", "image_info_unlabeled2017"),
        ("coco_test-dev2017", "coco/annotations/image_info_test-dev2017.json", "image_info_test2017.zip"),
        ("coco_test2017", "coco/test2017", "test2017.zip"),
        ("aic_train", "aic/keypoint_train_annotations_20170909.json", "AI Challenger 2017"),
        ("aic_train", "aic/keypoint_train_images_20170902", "AI Challenger 2017"),
    ],
)
def test_data_check_names_the_missing_file_and_its_publisher(
    dataset: str, gone: str, publisher: str, kpkit: Kpkit, world: World
) -> None:
    path = world.root / gone
    path.rename(path.with_name("elsewhere"))
    said = kpkit("data", "check", dataset, "--data", world)
    assert said.code == 1
    assert said.out.startswith(f"{dataset}: {path}: ")
    assert "missing" in said.out and publisher in said.out and "https://" in said.out


def test_data_check_of_a_missing_picture(kpkit: Kpkit, world: World) -> None:
    picture = next((world.root / "coco/val2017").iterdir())
    picture.unlink()
    said = kpkit("data", "check", "coco_val2017", "coco_train2017", "--data", world)
    assert said.code == 1
    assert f"coco_val2017: {picture}: missing picture (1 of {COUNTS['val2017']} listed" in said.out
    assert f"coco_train2017: {COUNTS['train2017']} pictures" in said.out


def test_doctor(kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    said = kpkit("doctor", "--data", drawn, "--runs", tmp_path)
    assert said.code == 0, said.out
    for word in ("torch ", "torchvision", "ray ", "cores", "free disk for runs", "coco_train2017"):
        assert word in said.out
    assert "compiled kernels         yes" in said.out
    assert "give --data DIR" in kpkit("doctor", "--runs", tmp_path).out


def test_world_keeps_other_peoples_files(kpkit: Kpkit, tmp_path: Path) -> None:
    letter = tmp_path / "mine" / "letter.txt"
    letter.parent.mkdir()
    letter.write_text("dear")
    said = kpkit("world", letter.parent, "--size", "tiny")
    assert said.code == 2
    assert said.sentence == f"{letter.parent}: the folder holds other files; name a new or empty folder"
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "letter.txt"]
    said = kpkit("world", tmp_path / "new", "--size", "huge")
    assert said.code == 2
    assert said.sentence == "unknown world size 'huge'; choose one of tiny, small, scarce, medium"
    assert not (tmp_path / "new").exists()


def test_a_splits_pictures_are_set_by_hand(kpkit: Kpkit, tmp_path: Path) -> None:
    wanted = [f"--pictures={split}=1" for split in ("train2017", "val2017", "aic", "unlabeled2017")]
    more = ["--pictures=test-dev2017=1", "--pictures=test-challenge2017=2"]
    said = kpkit("world", tmp_path / "w", "--size", "tiny", "--workers", "1", *wanted, *more)
    assert said.code == 0
    counted = json.loads((tmp_path / "w/world.json").read_text())["pictures"]
    assert counted == {
        "train2017": 1, "val2017": 1, "aic": 1, "unlabeled2017": 1,
        "test-dev2017": 1, "test-challenge2017": 2,
    }  # fmt: skip
    for wrong in ("train2017", "train2017=many", "train=3"):
        said = kpkit("world", tmp_path / "w2", "--pictures", wrong)
        assert said.code == 2
        assert wrong.split("=")[0] in said.sentence
