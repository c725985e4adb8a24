"""``kpkit data check``: AI Challenger's labels by name, and documents that say how files are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Kpkit, World

AIC = "aic/keypoint_train_annotations_20170909.json"

DOCUMENT = """
kind = "recipe"
network.name = "cpn_resnet50"
data.A = "mine"
training = {{ phases = ["A"], epochs = [1] }}
[datasets.mine]
format = "aic"
annotations = "{file}"
images = "aic/keypoint_train_images_20170902"
visibility = "{visibility}"
"""


def test_ai_challenger_s_keypoints_by_name(kpkit: Kpkit, drawn: Path) -> None:
    said = kpkit("data", "check", "aic", "--data", drawn)
    assert said.code == 0
    lines = said.out.splitlines()
    assert re.fullmatch(r"aic_train: 4 pictures, \d+ people, \d+ with keypoints, 0 crowds", lines[0])
    assert re.match(r'  visibility = "aic": 1 visible [\d,]+, 2 hidden [\d,]+, 3 unlabelled [\d,]+', lines[1])
    assert re.match(
        r"  outside their own box: \d+ labelled keypoints of \d+ people, kept as labelled", lines[2]
    )
    table = {line.split()[0]: line.split()[-1] for line in lines[4:18]}
    assert table["right_shoulder"] == "right_shoulder" and table["left_ankle"] == "left_ankle"
    assert table["head_top"] == table["neck"] == "dropped"
    lacking = [line.strip() for line in lines[18:23]]
    assert lacking[0].split(maxsplit=1)[1] == "nose: unlabelled, loss weight 0"
    assert [line.split()[1] for line in lacking] == [
        f"{name}:" for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    ]
    assert lines[23].startswith("aic_val: ") and "missing" in lines[23]


def test_for_machines(kpkit: Kpkit, drawn: Path) -> None:
    found = {
        row["name"]: row for row in json.loads(kpkit("data", "check", "aic", "--json", "--data", drawn).out)
    }
    assert found["aic_val"]["missing"] and "published" in found["aic_val"]["error"]
    labels = found["aic_train"]["labels"]
    records = json.loads((drawn / AIC).read_bytes())
    codes = [code for record in records for k in record["keypoint_annotations"].values() for code in k[2::3]]
    wanted = {"visible": 1, "hidden": 2, "unlabelled": 3}
    assert labels["codes"] == {
        state: {"code": code, "keypoints": codes.count(code)} for state, code in wanted.items()
    }
    assert (
        sum(row["outside"] for row in labels["keypoints"])
        == labels["labelled_outside_their_box"]["keypoints"]
    )
    plain = json.loads(kpkit("data", "check", "--json", "--data", drawn).out)
    assert all("labels" not in row for row in plain)


def test_a_document_s_own_data_set(kpkit: Kpkit, world: World, tmp_path: Path) -> None:
    records = world.table(AIC)
    for record in records:
        for points in record["keypoint_annotations"].values():
            points[2::3] = [{1: 2, 2: 1, 3: 0}[code] for code in points[2::3]]
    (world.root / "aic/converted.json").write_text(json.dumps(records))
    document = tmp_path / "mine.toml"

    def check(visibility: str) -> tuple[int, str]:
        document.write_text(DOCUMENT.format(file="aic/converted.json", visibility=visibility))
        said = kpkit("data", "check", "mine", "--document", document, "--data", world)
        return said.code, said.out

    code, out = check("coco")
    assert code == 0 and 'visibility = "coco": 2 visible' in out
    code, out = check("aic")
    assert code == 1 and len(out.splitlines()) == 1
    assert out.startswith(f"mine: {world.root / 'aic/converted.json'}: row 0 (image ")
    assert 'contradict visibility = "aic"' in out and 'visibility = "coco" (' in out and "would fit" in out


def test_a_faulty_file_among_several(kpkit: Kpkit, world: World) -> None:
    file = world.root / AIC
    validation = world.root / "aic/keypoint_validation_annotations_20170911.json"
    validation.write_bytes(file.read_bytes()[:1000])
    (world.root / "aic/keypoint_validation_images_20170911").mkdir()
    said = kpkit("data", "check", "aic", "--data", world)
    assert said.code == 1
    assert "aic_train: 4 pictures" in said.out and "cut short" in said.out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('visibility = "mpii"', "'mpii' is not allowed"),
        ('visibilty = "aic"', "did you mean 'visibility'?"),
        ('skeleton = "coco17"', 'format = "aic" holds skeleton = "aic14"'),
        ('skeleton = "mpii16"', "'mpii16' is not allowed"),
    ],
)
def test_unknown_declarations(kpkit: Kpkit, drawn: Path, tmp_path: Path, line: str, words: str) -> None:
    document = tmp_path / "mine.toml"
    text = DOCUMENT.format(file=AIC, visibility="aic").replace('visibility = "aic"', line)
    document.write_text(text)
    sentence = kpkit("data", "check", "mine", "--document", document, "--data", drawn).only_sentence
    assert sentence.startswith(f"{document}: datasets.mine")
    assert words in sentence
