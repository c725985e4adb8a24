"""Labels out to other tools and corrected ones back, as a user does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from kpkit.data.coco import read_annotations, read_image_list, write_annotations, write_image_list
from kpkit.data.load import load_dataset
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.specs.datasets import DatasetSpec, resolve
from kpkit.specs.loader import load

from .conftest import DOCUMENTS, Kpkit

VAL = "coco/annotations/person_keypoints_val2017.json"
PICTURES = "coco/val2017"
FORMATS = ("coco", "yolo", "cvat", "label-studio")


@pytest.mark.parametrize("format", FORMATS)
def test_there_and_back(kpkit: Kpkit, nano_world: Path, tmp_path: Path, format: str) -> None:
    truth, out = nano_world / VAL, tmp_path / "out"
    said = kpkit("export-labels", truth, out, "--format", format, "--images", nano_world / PICTURES)
    assert said.code == 0, said.err
    images, people = read_annotations(truth)
    crowds = int(people.crowd.sum())
    counts = f"{len(people) - crowds} people with {int(people.num_labelled.sum())} keypoints, {crowds} crowd"
    assert f"{out}: {len(images)} pictures, {counts}" in said.out
    back = tmp_path / "labels.json"
    said = kpkit("import-labels", out, "--format", format, "--images", truth, "--out", back)
    assert said.code == 0, said.err
    assert f"{len(people)} people: {len(people)} kept, 0 changed, 0 added, 0 deleted" in said.out
    _, found = read_annotations(back)
    order = np.argsort(found.id), np.argsort(people.id)
    np.testing.assert_array_equal(found.id[order[0]], people.id[order[1]])
    np.testing.assert_array_equal(found.keypoints[order[0], :, 2], people.keypoints[order[1], :, 2])
    np.testing.assert_allclose(found.keypoints[order[0]], people.keypoints[order[1]], atol=1e-4)
    assert len(COCO(str(back)).getAnnIds()) == len(people)
    # a document names it as a data set
    own = {"corrected": DatasetSpec(format="coco", annotations=str(back), images=PICTURES)}
    loaded = load_dataset(resolve("corrected", nano_world, own))
    assert (len(loaded.images), len(loaded.people)) == (len(images), len(people))


def test_an_image_list_is_enough_and_deleted_ids_stay_deleted(
    kpkit: Kpkit, nano_world: Path, tmp_path: Path
) -> None:
    truth = nano_world / VAL
    images, people = read_annotations(truth)
    last = int(np.argmax(people.id))
    sent, fewer = tmp_path / "sent.json", tmp_path / "annotations.json"
    write_annotations(sent, images, people)
    new = people[[0]].with_(
        id=np.array([0])
    )  # as write_annotations numbers it, it takes the deleted one's id
    kept = people[np.arange(len(people)) != last]
    write_annotations(fewer, images, type(people).concat([kept, new]))
    table = json.loads(fewer.read_text())
    table["annotations"][-1]["id"] = 0
    fewer.write_text(json.dumps(table))
    out = tmp_path / "out.json"
    arguments = ("import-labels", fewer, "--format", "coco", "--out", out, "--images")
    said = kpkit(*arguments, sent)
    assert f"{len(people)} people: {len(people) - 1} kept, 0 changed, 1 added, 1 deleted" in said.out
    assert read_annotations(out)[1].id.max() == people.id.max() + 1
    listed = tmp_path / "list.json"
    write_image_list(listed, read_image_list(truth))
    said = kpkit(*arguments, listed)
    assert f"{len(people)} people\n" in said.out


def test_pictures_that_did_not_come_back_are_left_out(kpkit: Kpkit, nano_world: Path, tmp_path: Path) -> None:
    truth, out = nano_world / VAL, tmp_path / "out"
    kpkit("export-labels", truth, out, "--format", "label-studio")
    tasks = json.loads((out / "tasks.json").read_text())
    (out / "tasks.json").write_text(json.dumps(tasks[1:]))
    said = kpkit(
        "import-labels", out, "--format", "label-studio", "--images", truth, "--out", tmp_path / "o.json"
    )
    assert "1 pictures of the list are not in out and are left out" in said.out
    assert len(read_annotations(tmp_path / "o.json")[0]) == len(tasks) - 1


def test_yolo_links_the_pictures_and_says_what_is_lost(
    kpkit: Kpkit, nano_world: Path, tmp_path: Path
) -> None:
    images, people = read_annotations(nano_world / VAL)
    crowd = np.zeros(len(people), bool)
    crowd[0] = True
    people.keypoints[0] = 0
    sent = tmp_path / "sent.json"
    write_annotations(sent, images, people.with_(crowd=crowd))
    out = tmp_path / "yolo"
    said = kpkit("export-labels", sent, out, "--format", "yolo", "--images", nano_world / PICTURES)
    assert "not in this format: 1 crowd regions and people without a box" in said.out
    for name in images.file_name:
        assert (out / "images" / name).resolve() == (nano_world / PICTURES / name).resolve()


@pytest.fixture
def document(nano_world: Path, tmp_path: Path) -> Path:
    """The runs folder of a pseudo-label document whose labels are made, without making its teachers."""
    runs = tmp_path / "runs"
    node = GraphBuilder(Context(nano_world, runs)).pseudo_labels(load(str(NANO)))
    images = read_image_list(nano_world / "coco/annotations/image_info_unlabeled2017.json")
    _, people = read_annotations(nano_world / VAL)
    people = people[:2].with_(image_id=images.id[:2], score=np.array([0.5, 0.75]))
    with node.artefact.working() as work:
        write_annotations(work / "annotations.json", images, people, scores=True)
        node.artefact.publish({}, 0.0)
    return runs


NANO = DOCUMENTS / "pseudo_labels" / "nano.toml"


def test_a_documents_labels_and_its_artefacts(
    kpkit: Kpkit, nano_world: Path, tmp_path: Path, document: Path
) -> None:
    out = tmp_path / "a"
    said = kpkit("export-labels", NANO, out, "--format", "yolo", "--data", nano_world, "--runs", document)
    assert said.code == 0, said.err
    assert "2 people with" in said.out
    links = list((out / "images").iterdir())
    assert links and all(p.resolve().parent.name == "unlabeled2017" for p in links)
    artefact = next((document / "pseudo_labels").glob("[!.]*"))
    said = kpkit("export-labels", artefact, tmp_path / "b", "--format", "cvat")
    assert said.code == 0, said.err
    assert '<attribute name="score">0.75</attribute>' in (tmp_path / "b/annotations.xml").read_text()


def test_refusals(kpkit: Kpkit, nano_world: Path, tmp_path: Path, document: Path) -> None:
    truth = nano_world / VAL
    out = tmp_path / "there"
    out.mkdir()
    said = kpkit("export-labels", truth, out, "--format", "coco")
    assert (said.code, list(out.iterdir())) == (2, [])
    assert "is there already" in said.only_sentence
    said = kpkit("export-labels", truth, tmp_path / "n", "--format", "yolo", "--images", tmp_path / "no")
    assert "the picture folder does not exist" in said.only_sentence
    said = kpkit("export-labels", truth, tmp_path / "n", "--format", "yolo", "--images", tmp_path)
    assert "missing picture" in said.only_sentence
    empty = ("--data", nano_world, "--runs", tmp_path / "none")
    said = kpkit("export-labels", NANO, tmp_path / "n", "--format", "cvat", *empty)
    assert "these labels are not made yet; make them: kpkit pseudo-label" in said.only_sentence
    said = kpkit("export-labels", truth, tmp_path / "n", "--format", "voc")
    assert said.code == 2
    assert "label-studio" in said.only_sentence
    nowhere = tmp_path / "o.json"
    said = kpkit("import-labels", tmp_path, "--format", "cvat", "--images", truth, "--out", nowhere)
    assert "annotations.xml: no such file" in said.only_sentence
    assert not nowhere.exists()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name not in ("runs", "none")) == ["there"]


def test_a_labelled_person_needs_a_box_with_a_size(kpkit: Kpkit, nano_world: Path, tmp_path: Path) -> None:
    truth, out = nano_world / VAL, tmp_path / "out"
    kpkit("export-labels", truth, out, "--format", "label-studio")
    tasks = json.loads((out / "tasks.json").read_text())
    regions = [r for t in tasks for r in t["predictions"][0]["result"] if r.get("parentID")]
    parent = regions[0]["parentID"]
    box = next(r for t in tasks for r in t["predictions"][0]["result"] if r["id"] == parent)
    box["value"]["width"] = 0
    (out / "tasks.json").write_text(json.dumps(tasks))
    said = kpkit(
        "import-labels", out, "--format", "label-studio", "--images", truth, "--out", tmp_path / "o.json"
    )
    assert f"person {parent.removeprefix('person-')}" in said.only_sentence
    assert "the box has width 0" in said.only_sentence
    assert not (tmp_path / "o.json").exists()
