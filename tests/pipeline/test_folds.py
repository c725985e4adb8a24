"""Refiners that learn from an ensemble's own poses: out of fold on C, or on val."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.cli.watch import PlainWatcher
from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.parts import Part
from kpkit.data.coco import read_annotations
from kpkit.data.load import load_dataset
from kpkit.data.results import read_poses, write_results
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.context import Context
from kpkit.pipeline.folds_job import FoldsJob
from kpkit.pipeline.given_poses import given_poses
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.node import Node, hashed_tables
from kpkit.pipeline.run import Settings, build, build_nodes
from kpkit.pipeline.train_job import TrainJob
from kpkit.refinement import measured
from kpkit.refinement.lesson import RefinerLesson
from kpkit.specs.datasets import Dataset, resolve
from kpkit.specs.loader import Document, load, varied
from kpkit.specs.poses import PosesSpec
from kpkit.specs.refinement import RefinementSpec
from tests.pipeline.runs import contents, leftovers

pytestmark = pytest.mark.xdist_group("pipeline")


def refiner(documents: Path, data: dict[str, Any] | None = None, **refinement: Any) -> Document:
    """nano_posefix_folds with other tables."""
    found = load(str(documents / "recipes/nano_posefix_folds.toml"))
    return varied(found, "own", {"refinement": refinement, "data": data or {}}, found.path)


def graph_of(document: Document, world: Path, runs: Path) -> GraphBuilder:
    builder = GraphBuilder(Context(world, runs))
    builder.add(document)
    return builder


def behind(node: Node) -> list[Node]:
    """All that a node needs, and itself."""
    found = {node.artefact.key: node}
    for need in node.needs:
        found |= {further.artefact.key: further for further in behind(need)}
    return list(found.values())


def datasets(node: Node) -> list[Dataset]:
    """What a node's job reads but to validate or to look at."""
    job = node.job
    sources = list(getattr(job, "sources", {}).values())
    others = [getattr(job, name, None) for name in ("labelled", "audit", "images")]
    mined = [job.dataset] if node.artefact.kind == "hard_negatives" else []  # type: ignore[attr-defined]
    return [dataset for dataset in (*sources, *others, *mined) if dataset is not None]


def test_no_network_has_seen_what_it_looks_at(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    """Members of every letter, pseudo labels among them, whose teachers learn from C as well."""
    builder = graph_of(refiner(documents, ensemble="nano"), nano_world, tmp_path)
    (joined,) = (node for node in builder.nodes.values() if isinstance(node.job, FoldsJob))
    train = resolve("coco_train2017", nano_world)
    looked_at: list[int] = []
    for number, fold in enumerate(joined.needs, 1):
        assert fold.job.dataset.name == f"coco_train2017@{number}of2"  # type: ignore[attr-defined]
        held_out = load_dataset(fold.job.dataset).images.id  # type: ignore[attr-defined]
        looked_at += held_out.tolist()
        trainings = [node for node in behind(fold) if isinstance(node.job, TrainJob)]
        assert {node.artefact.name.partition("@")[0] for node in trainings} == {
            "nano_cpn", "nano_mspn", "nano_ccm", "nano_teacher",
        }  # fmt: skip
        seen = 0
        for node in behind(fold):
            for dataset in datasets(node):
                if dataset.annotations == train.annotations:
                    seen += 1
                    assert not set(load_dataset(dataset).images.id) & set(held_out)
        assert seen == 9  # C and H of three members, the mining, C of the teacher, who labels like the rest
    assert sorted(looked_at) == sorted(load_dataset(train).images.id)
    assert len({node.artefact.key for node in builder.nodes.values()}) == len(builder.nodes)
    assert not any(node.missing for node in builder.nodes.values())


def test_two_refiners_hold_out_pictures_of_two_data_sets(
    nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    """In one graph, by folds of one name: the members learn from either data set."""
    builder = GraphBuilder(Context(nano_world, tmp_path))
    for name, boxes in (("coco_train2017", "detections"), ("aic_train", "truth")):
        document = refiner(documents, {"C": name}, ensemble="nano", boxes={"source": boxes})
        (node,) = builder.add(varied(document, f"of_{name}", {}, document.path))
        members = [n.job for n in behind(node) if isinstance(n.job, TrainJob) and n is not node]
        learnt = {dataset.name for job in members for dataset in job.sources.values()}
        assert {f"{name}@not1of2", f"{name}@not2of2"} <= learnt and name not in learnt


@pytest.fixture
def own(documents: Path, tmp_path: Path) -> Path:
    """A copy of the tests' documents to write to."""
    return Path(shutil.copytree(documents, tmp_path / "documents"))


def ensemble_of(own: Path, *recipes: str, more: str = "") -> Path:
    path = own / "ensembles/mine.toml"
    members = ", ".join(f'{{ recipe = "{name}" }}' for name in recipes)
    path.write_text(f'kind = "ensemble"\nmembers = [{members}{more}]\n')
    return path


def test_what_saw_no_picture_of_c_is_trained_once(nano_world: Path, own: Path, tmp_path: Path) -> None:
    """nano_a14_c starts from a network of AI Challenger alone, the other from one of C."""
    (own / "recipes/nano_on.toml").write_text('extends = "nano_c"\nstart = "nano_c"\n')
    ensemble_of(own, "nano_a14_c", "nano_on")
    nodes = graph_of(refiner(own, ensemble="mine"), nano_world, tmp_path / "runs").nodes.values()
    names = sorted(node.artefact.name for node in nodes if isinstance(node.job, TrainJob))
    cut = [f"{name}@not{n}of2" for name in ("nano_a14_c", "nano_c", "nano_on") for n in (1, 2)]
    assert names == sorted(["nano_a14", "own", *cut])
    starts = {node.artefact.inputs["start"] for node in nodes if "nano_on" in node.artefact.name}
    assert starts == {node.artefact.key for node in nodes if node.artefact.name.startswith("nano_c@")}


def test_one_fold_is_the_ensemble_as_it_is(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    nodes = graph_of(refiner(documents, folds=1), nano_world, tmp_path / "runs").nodes.values()
    names = [node.artefact.name for node in nodes]
    assert sorted(names) == sorted({*names}) and not any("@" in name for name in names)
    own = next(node for node in nodes if node.artefact.name == "own")
    seen = next(node for node in nodes if node.artefact.name == "nano_one-on-train2017")
    assert seen in own.needs and own.artefact.inputs["poses"] == seen.artefact.key
    assert own.job.poses == seen.artefact.folder / BLEND  # type: ignore[attr-defined]


def test_own_boxes_and_absent_pictures(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    plain, truth = (
        graph_of(refiner(documents, **changes), nano_world, tmp_path)
        for changes in ({}, {"boxes": {"source": "truth"}})
    )
    for builder, own_boxes in ((plain, False), (truth, True)):
        folds = next(node for node in builder.nodes.values() if isinstance(node.job, FoldsJob))
        jobs: list[Any] = [fold.job for fold in folds.needs]
        people = sum(len(job.choose_boxes(load_dataset(job.dataset))[0]) for job in jobs)
        _, labelled = read_annotations(nano_world / "coco/annotations/person_keypoints_train2017.json")
        labels = int(((labelled.num_labelled > 0) & ~labelled.crowd).sum())
        assert (people == labels) == own_boxes
    (tmp_path / "nothing").mkdir()
    absent = graph_of(refiner(documents), tmp_path / "nothing", tmp_path)
    names = {node.artefact.name for node in absent.nodes.values()}
    assert {"nano_c@not1of2", "nano_one@not2of2-on-train2017@2of2", "own"} <= names
    assert all("the annotations file is missing" in str(node.missing) for node in absent.nodes.values())


WEIGHTS = "has weights of which nobody can tell whether they have learnt from coco_train2017"


@pytest.mark.parametrize(
    ("recipe", "more", "sentence"),
    [
        ('weights = "w.safetensors"\n[training]\nphases = []\nsteps = []', "", f"mine_c {WEIGHTS}"),
        ('weights = "w.safetensors"', "", f"mine_c {WEIGHTS}"),
        ('[data]\nC = "coco_train2017@not1of5"', "", "is a part already and cannot be dealt into folds"),
        (
            '[data]\nC = "other"\n[datasets.other]\nformat = "coco"\n'
            'annotations = "coco/annotations/OTHER.json"\nimages = "coco/train2017"',
            "",
            "other shares 14 pictures with coco_train2017, by another list; name one data set in both",
        ),
        (
            "",
            ', { results = "theirs.json" }',
            "whether the networks behind theirs.json have learnt from coco",
        ),
    ],
)
def test_networks_that_may_have_seen_the_pictures_are_refused(
    nano_world: Path, own: Path, tmp_path: Path, recipe: str, more: str, sentence: str
) -> None:
    world = tmp_path / "world"
    shutil.copytree(nano_world / "coco/annotations", world / "coco/annotations")
    shutil.copytree(nano_world / "coco/person_detection_results", world / "coco/person_detection_results")
    for split in ("train2017", "val2017"):
        (world / "coco" / split).mkdir()
    listed = world / "coco/annotations/person_keypoints_train2017.json"
    listed.with_name("OTHER.json").write_bytes(listed.read_bytes())
    (own / "recipes/w.safetensors").write_bytes(b"")
    (own / "recipes/mine_c.toml").write_text(f'extends = "nano_c"\n{recipe}\n')
    ensemble_of(own, "mine_c", more=more)
    with pytest.raises(InputError, match=sentence):
        graph_of(refiner(own, ensemble="mine"), world, tmp_path / "runs")


def test_a_list_of_another_format_beside_the_pictures(nano_world: Path, own: Path, tmp_path: Path) -> None:
    """Of none of C's pictures, but in their folder."""
    (own / "recipes/mine_c.toml").write_text(
        'extends = "nano_c"\n[data]\nA = "other"\n[training]\nphases = ["AC"]\n[datasets.other]\n'
        'format = "aic"\nannotations = "aic/keypoint_train_annotations_20170909.json"\n'
        'images = "coco/train2017"\n'
    )
    ensemble_of(own, "mine_c")
    nodes = graph_of(refiner(own, ensemble="mine"), nano_world, tmp_path / "runs").nodes.values()
    jobs = [n.job for n in nodes if isinstance(n.job, TrainJob) and n.artefact.name.startswith("mine_c@")]
    assert [job.sources["A"].name for job in jobs] == ["other", "other"]


def test_backbones_of_another_s_training_are_welcome(nano_world: Path, own: Path, tmp_path: Path) -> None:
    manifest: dict[str, Any] = {
        "format": "kpkit weights 1", "weights": "w.safetensors", "sha256": "0" * 64, "source": "timm",
        "source_file": "w.pth", "source_sha256": "0" * 64, "part": "backbone", "network": "cpn_resnet50",
        "options": {}, "input_size": [64, 64], "skeleton": "coco17", "codec": {}, "mean": [0, 0, 0],
        "std": [1, 1, 1], "channel_order": "rgb", "peak": None,
    }  # fmt: skip
    (own / "recipes/w.safetensors").write_bytes(b"")
    (own / "recipes/w.json").write_text(json.dumps(manifest))
    (own / "recipes/mine_c.toml").write_text('extends = "nano_c"\nweights = "w.safetensors"\n')
    ensemble_of(own, "mine_c")
    graph_of(refiner(own, ensemble="mine"), nano_world, tmp_path / "runs")


def test_a_part_of_a_data_set_is_dealt_no_further(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    document = refiner(documents, {"C": "coco_train2017@1of2"})
    with pytest.raises(InputError, match="is a part already and cannot be dealt into folds; name coco_train"):
        graph_of(document, nano_world, tmp_path)


def test_documents_in_a_circle_are_named(nano_world: Path, own: Path, tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (own / f"recipes/{name}.toml").write_text(f'extends = "nano_c"\nstart = "{other}"\n')
    ensemble_of(own, "one")
    with pytest.raises(InputError, match="need each other in a circle: one -> two -> one"):
        graph_of(refiner(own, ensemble="mine"), nano_world, tmp_path / "runs")


# --- run


class Begun(PlainWatcher):
    """Remembers what was begun."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []

    def started(self, key: str, title: str) -> None:
        """See ``PlainWatcher``."""
        self.titles.append(title)
        super().started(key, title)


@pytest.fixture(scope="module")
def runs(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder in which the first fold was made, and then the rest by another run."""
    folder = tmp_path_factory.mktemp("folds") / "runs"
    settings = Settings(nano_world, folder, ray=False)
    recipe = load(str(documents / "recipes/nano_posefix_folds.toml"))
    builder = graph_of(recipe, nano_world, folder)
    first = next(n for n in builder.nodes.values() if n.artefact.name.endswith("on-train2017@1of2"))
    build_nodes(builder, [first], settings, PlainWatcher())
    begun = contents(folder)
    assert len(begun) == 2
    watcher = Begun()
    build([recipe], settings, watcher)
    assert watcher.titles == [
        "recipes/nano_c@not2of2",
        "ensembles/nano_one@not2of2-on-train2017@2of2",
        "ensembles/nano_one-out-of-2-folds-on-train2017",
        "recipes/nano_posefix_folds",
    ]
    assert begun.items() <= contents(folder).items() and len(contents(folder)) == 6
    assert leftovers(folder) == []
    return folder


def test_the_folds_poses_are_joined(runs: Path, nano_world: Path, documents: Path) -> None:
    folds = [read_poses(path) for path in sorted(runs.glob("ensembles/nano_one@*/ensemble.npz"))]
    (path,) = runs.glob("ensembles/nano_one-out-of-2-folds-on-train2017-*/ensemble.npz")
    joined = read_poses(path)
    assert len(joined) == sum(map(len, folds)) and min(map(len, folds)) > 0
    for number, fold in enumerate(folds, 1):
        mine = Part(number, 2).holds(joined.image_id)
        assert np.array_equal(joined[mine].keypoints, fold.sorted_by_image().keypoints)
    told = json.loads((path.parent / "manifest.json").read_text())["metrics"]
    assert told["pictures"] == 14 and set(told["ensemble"]) >= {"AP", "AR"}
    assert told["boxes_hash"] == joined.boxes_hash()
    # each training showed the others' people alone
    counts = [
        json.loads(path.read_text())["metrics"]["people"]["C"]
        for path in runs.glob("recipes/*/manifest.json")
    ]
    assert sum(counts) == 2 * max(counts)
    # and the refiner was given what the folds saw
    node = graph_of(load(str(documents / "recipes/nano_posefix_folds.toml")), nano_world, runs)
    job = list(node.nodes.values())[-1].job
    assert isinstance(job, TrainJob) and job.poses == path and job.artefact.done


# --- on val


def test_the_ensemble_on_val_is_the_one_that_is_judged(
    nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    builder = GraphBuilder(Context(nano_world, tmp_path))
    (judged,) = builder.add(load(str(documents / "ensembles/nano_one.toml")))
    before = len(builder.nodes)
    (node,) = builder.add(refiner(documents, errors="measured", real=0.0, folds=0))
    assert len(builder.nodes) == before + 1
    assert node.needs == [judged] and node.artefact.inputs["poses"] == judged.artefact.key


def on_val(nano_world: Path) -> tuple[Dataset, Dataset, Instances]:
    train, val = (resolve(f"coco_{split}", nano_world) for split in ("train2017", "val2017"))
    people = load_dataset(val).people
    return train, val, people[(people.num_labelled > 0) & ~people.crowd]


def test_errors_are_measured_on_val(
    nano_world: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a results file to the errors that are drawn, by way of the recipe's own job."""
    _, val, people = on_val(nano_world)
    shifted = people.keypoints + np.array([0.6, 0, 0]) * np.sqrt(people.area)[:, None, None]
    write_results(tmp_path / "theirs.json", people.with_(keypoints=shifted))
    document = refiner(
        documents, ensemble="", folds=0, poses=str(tmp_path / "theirs.json"), errors="measured", real=0.0
    )
    job = list(graph_of(document, nano_world, tmp_path / "runs").nodes.values())[-1].job
    assert isinstance(job, TrainJob)
    with pytest.raises(InputError, match="too few to measure errors"):
        job._teach(job.open())
    monkeypatch.setattr(measured, "ENOUGH", 10)
    teach: Any = job._teach(job.open())
    assert teach.func is RefinerLesson
    same, _ = given_poses(tmp_path / "theirs.json", None, document.spec.refinement, job.sources["C"], val)
    wanted = measured.measured_errors(people, same, np.unique(people.image_id))
    assert np.array_equal(teach.keywords["errors"].frequency, wanted.frequency)
    assert wanted.frequency[..., 0].max() < 0.9  # they err
    assert teach.keywords["surroundings"].estimated is None


def test_poses_must_be_on_the_pictures_of_c_or_val(nano_world: Path, tmp_path: Path) -> None:
    train, val, people = on_val(nano_world)
    measured_only = RefinementSpec(sigma=2, poses="theirs.json", errors="measured")
    shown = RefinementSpec(sigma=2, poses="theirs.json", real=0.5, errors="measured")
    path = tmp_path / "theirs.json"
    write_results(path, people)
    _, others = given_poses(path, None, measured_only, train, val)
    assert others is not None and np.array_equal(others.id, people.id)
    for spec in (shown, shown.model_copy(update={"errors": "published", "real": 0.0})):
        with pytest.raises(
            InputError, match="other pictures than coco_train2017's, where they serve to meas"
        ):
            given_poses(path, None, spec, train, val)
    with pytest.raises(InputError, match=r"is no picture of coco_train2017 \("):
        given_poses(path, None, shown, train, None)
    of_c = load_dataset(train).people
    write_results(path, Instances.concat([of_c, people]))
    with pytest.raises(
        InputError, match=f"{len(of_c)} of {len(of_c) + len(people)} poses are on pictures of"
    ):
        given_poses(path, None, measured_only, train, val)
    strange = people.with_(image_id=np.where(np.arange(len(people)) == 2, 7, people.image_id))
    write_results(path, strange)
    with pytest.raises(
        InputError, match=r"image id 7 is no picture of .*train2017 or .*val2017 \(1 of"
    ) as caught:
        given_poses(path, None, measured_only, train, val)
    assert caught.value.row == 2
    write_results(path, of_c)
    poses, others = given_poses(path, None, shown, train, val)
    assert others is None and len(poses) == len(of_c)


def test_an_ensemble_s_poses_are_finished(nano_world: Path, runs: Path) -> None:
    (path,) = runs.glob("ensembles/nano_one-out-of-2-folds-on-train2017-*/ensemble.npz")
    train, val, _ = on_val(nano_world)
    spec = RefinementSpec(sigma=2, ensemble="nano_one", folds=2, real=0.5)
    kept, _ = given_poses(path, PosesSpec(oks_nms=1, max_poses=1, scoring="learned"), spec, train, val)
    assert len(kept) == len(np.unique(read_poses(path).image_id))


def test_an_ensemble_s_poses_on_val_are_known_whatever_the_ids(nano_world: Path, runs: Path) -> None:
    """Data sets of one's own number their pictures from 1, each."""
    (path,) = runs.glob("ensembles/nano_one-out-of-2-folds-on-train2017-*/ensemble.npz")
    train, _, _ = on_val(nano_world)
    measured_only = RefinementSpec(sigma=2, ensemble="nano_one", errors="measured")
    _, others = given_poses(path, PosesSpec(), measured_only, train, train)
    assert others is not None and len(others)


# --- documents


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"poses": "theirs.json"}, "from a file or from an ensemble, not from both"),
        ({"ensemble": ""}, "folds and boxes say how an ensemble makes the poses; name one"),
        ({"folds": 0}, "poses on val serve to measure errors alone"),
        ({"ensemble": "", "folds": 0}, "need poses to take them from, or an ensemble"),
    ],
)
def test_tables_that_do_not_go_together(documents: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        refiner(documents, **changes)


def test_a_refiner_on_val_needs_one(documents: Path) -> None:
    with pytest.raises(InputError, match=r"looks at data.val, which is not named"):
        refiner(documents, {"val": ""}, folds=0, real=0.0, errors="measured")


def test_refiners_without_an_ensemble_keep_their_hashes(documents: Path) -> None:
    tables = hashed_tables(load(str(documents / "recipes/nano_posefix.toml")).spec)
    assert set(tables["refinement"]) == {"sigma", "errors", "poses", "real"}
