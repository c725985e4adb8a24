"""Search and ablation on drawn heatmaps: what is known to be there is found, and told with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.progress import silent
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.evaluation.ap import evaluate
from kpkit.heatmaps.decode import decode
from kpkit.inference.finish import finish_poses
from kpkit.pipeline.ablate_job import AblateJob
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.search_document import write_ensemble
from kpkit.pipeline.search_job import SearchJob
from kpkit.pipeline.settings_grid import grid_tables
from kpkit.reports.ablation import ablation_lines, ablation_table, write_ablation_markdown
from kpkit.reports.figures import artefact_lines
from kpkit.reports.manifests import Entry, read_entry
from kpkit.reports.search import search_sentences, search_table
from kpkit.specs.base import parse
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import Document, load
from kpkit.specs.member import keypoint_weights
from tests.ensembles.drawn_stores import CODEC, DrawnStores

MEMBERS = ("nano_cpn", "nano_mspn", "nano_ccm")
TABLES: dict[str, Any] = {
    "kind": "ensemble",
    "members": [{"recipe": name} for name in MEMBERS],
    "val": "drawn",
    "boxes": {"source": "truth"},
    "search": {"draws": 100, "rounds": 4},
    "grid": {"draws": 100},
}


def document(folder: Path, **tables: Any) -> Document:
    path = folder / "ensembles" / "drawn.toml"
    return Document("drawn", "ensemble", path, parse(EnsembleSpec, TABLES | tables, path))


def searched(drawn: DrawnStores, stores: list[tuple[str, Path]], **tables: Any) -> Entry:
    spec = document(drawn.folder, **tables).spec
    hashed = {"members": spec.model_dump(mode="json")["members"], "split": "drawn"}
    artefact = Artefact("searches", "drawn", hashed, {}, drawn.folder / "runs")
    SearchJob(artefact, dataset=drawn.dataset, spec=spec, stores=tuple(stores)).finish(silent)
    return read_entry(artefact.folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnStores:
    return DrawnStores(tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def found(drawn: DrawnStores) -> Entry:
    """A good member, a bad one, and one that errs as the bad one does."""
    stores = [
        drawn.member("nano_cpn", 0.2, seed=1),
        drawn.member("nano_mspn", 2.0, seed=2),
        drawn.member("nano_ccm", 2.2, seed=2),
    ]
    return searched(drawn, stores)


def test_the_good_member_is_found_and_its_gain_told(found: Entry) -> None:
    table = search_table(found).set_index("name")
    chosen = ["best member", "greedy", "continuous", "per keypoint", "searched"]
    without = [f"without {name}" for name in MEMBERS]
    assert table.index.tolist() == ["equal", *MEMBERS, *without, *chosen]
    assert table.loc["nano_cpn", "AP"] > 95 > table.loc["equal", "AP"] > table.loc["nano_ccm", "AP"]
    searched = table.loc["searched"]
    assert searched["AP"] > 95
    assert searched["gain"] == pytest.approx(searched["AP"] - table.loc["equal", "AP"])
    assert 0 < searched["gain_low"] <= searched["gain"] <= searched["gain_high"]
    assert float(searched["weights"].split()[0]) > 0.75
    assert found.metrics.method != "equal" and found.metrics.people == 30


def test_what_a_member_adds_and_how_members_err_together(found: Entry) -> None:
    correlation = np.array(found.metrics.correlation)
    assert (np.diag(correlation) == 1).all()
    assert correlation[1, 2] > 0.9 > 0.5 > abs(correlation[0, 1])
    sentences = search_sentences(found)
    assert any(line.startswith("nano_cpn adds +") and "NOT" not in line for line in sentences)
    told = artefact_lines(found.folder)
    assert "searches/drawn" in told[0] and "30 people in 30 boxes on 15 pictures" in told[1]


def test_fixed_rows_are_what_decoding_and_judging_by_hand_give(drawn: DrawnStores, found: Entry) -> None:
    name, folder = drawn.member("alone", 2.0, seed=2)
    spec = document(drawn.folder).spec
    (batch,) = StoredEnsemble([(name, folder)], None).batches(True, "exact")
    points, score = decode(batch.maps[0])
    values = np.concatenate([CODEC.to_image(points, batch.boxes.box), score.clip(0, 1)[..., None]], axis=2)
    poses = finish_poses(batch.boxes.with_(keypoints=values), spec.poses)
    figures = evaluate(drawn.truth, poses)
    row = search_table(found).set_index("name").loc["nano_mspn"]
    for figure in ("AP", "AP50", "AR"):
        assert row[figure] == pytest.approx(100 * figures[figure], abs=1e-9)


def test_weights_per_keypoint_are_recovered_and_written(drawn: DrawnStores, documents: Path) -> None:
    low, high = np.full(17, 0.2), np.full(17, 0.2)
    low[:9] = high[9:] = 4.0
    stores = [drawn.member("nano_cpn", low, seed=3), drawn.member("nano_mspn", high, seed=4)]
    members = [{"recipe": "nano_cpn"}, {"recipe": "nano_mspn"}]
    entry = searched(drawn, stores, members=members)
    assert entry.metrics.method == "per keypoint"
    assert set(entry.metrics.fold_methods) == {"per keypoint"}
    nested = entry.metrics.weights["searched"]
    assert min(nested["nano_mspn"][:9]) > 0.6 and min(nested["nano_cpn"][9:]) > 0.6

    path = drawn.folder / "written.toml"
    beside = Document("drawn", "ensemble", documents / "ensembles/drawn.toml",
                      document(drawn.folder, members=members).spec)  # fmt: skip
    write_ensemble(path, beside, entry, "searched")
    written = load(str(path), "ensemble")
    for member, (name, _) in zip(written.spec.members, stores, strict=True):
        assert load(member.recipe, "recipe", beside=path).name == name
        np.testing.assert_allclose(keypoint_weights(member.weight), nested[name])
    assert written.spec.val == "drawn" and written.spec.boxes.source == "truth"
    header = path.read_text().splitlines()[:3]
    assert "'per keypoint'" in header[0] and "Held out: +" in header[1] and "95 % interval" in header[1]
    with pytest.raises(InputError, match="no method is called 'gredy'; did you mean 'greedy'"):
        write_ensemble(path, beside, entry, "gredy")


def test_written_weights_of_whole_members_are_plain_numbers(drawn: DrawnStores, found: Entry) -> None:
    path = drawn.folder / "best.toml"
    beside = Path(__file__).parents[1] / "documents/ensembles/drawn.toml"
    told = Document("drawn", "ensemble", beside, document(drawn.folder).spec)
    write_ensemble(path, told, found, "best member")
    (member,) = load(str(path), "ensemble").spec.members
    assert Path(member.recipe).stem == "nano_cpn" and member.weight == 1.0


def test_members_of_other_boxes_or_too_few_pictures(drawn: DrawnStores, tmp_path: Path) -> None:
    other = DrawnStores(tmp_path, pictures=8)
    stores = [drawn.member("nano_cpn", 0.2), other.member("nano_mspn", 0.2)]
    with pytest.raises(KpkitError, match="nano_cpn and nano_mspn have other boxes"):
        StoredEnsemble(stores, None)
    both = [other.member("nano_cpn", 0.2), other.member("nano_mspn", 0.2)]
    with pytest.raises(KpkitError, match="8 pictures are too few for 5 folds"):
        searched(other, both, members=[{"recipe": "nano_cpn"}, {"recipe": "nano_mspn"}])


@pytest.fixture(scope="module")
def shifted(drawn: DrawnStores) -> tuple[str, Path]:
    """A member whose mirrored maps lie a pixel beside the plain ones."""
    return drawn.member("nano_cpn", 0.1, seed=6, mirrored_at=-1.0)


@pytest.fixture(scope="module")
def ablated(drawn: DrawnStores, shifted: tuple[str, Path]) -> Entry:
    sweeps = {"flip shift": {"like": "CCM Table 8", "key": "decode.flip_shift", "values": [0.0, 0.5, 1.0]}}
    techniques = {
        "SOA": {"decode": {"refine": "parabola"}},
        "SSP": {"decode": {"flip_shift": 1.0}},
        "Soft-NMS": {"poses": {"nms": "fusion"}},
        "GF": {"decode": {"blur": 5}},
    }
    grid = {"draws": 100, "sweeps": sweeps, "techniques": techniques}
    asked = document(drawn.folder, members=[{"recipe": "nano_cpn"}], grid=grid)
    artefact = Artefact("ablations", "drawn", {"split": "drawn"}, {}, drawn.folder / "runs")
    AblateJob(
        artefact,
        dataset=drawn.dataset,
        spec=asked.spec,
        stores=(shifted,),
        tables=tuple(grid_tables(asked)),
    ).finish(silent)
    return read_entry(artefact.folder)


def test_techniques_alone_left_out_and_together(
    ablated: Entry, drawn: DrawnStores, shifted: tuple[str, Path]
) -> None:
    first, sweep = ablated.metrics.tables
    names = ["plain", "SOA", "SSP", "Soft-NMS", "GF"]
    names += ["all but SOA", "all but SSP", "all but Soft-NMS", "all but GF", "all"]
    assert [row.name for row in first.rows] == names
    rows = {row.name: row for row in first.rows}
    assert rows["all but SSP"].on == ["SOA", "Soft-NMS", "GF"]
    assert rows["plain"].gain is None and rows["SSP"].gain["value"] > 0
    assert rows["all"].figures["AP"] > rows["plain"].figures["AP"]
    # the sweep has every technique on, its shift aside
    values = {row.name: row.figures for row in sweep.rows}
    assert values["0"] == rows["all but SSP"].figures and values["1"] == rows["all"].figures
    assert values["0"]["AP"] < values["0.5"]["AP"]
    # by hand: the mean of both maps, its highest pixel
    (batch,) = StoredEnsemble([shifted], None).batches(True, 0.0)
    points, score = decode(batch.maps[0], refine="argmax")
    values_by_hand = np.concatenate(
        [CODEC.to_image(points, batch.boxes.box), score.clip(0, 1)[..., None]], axis=2
    )
    poses = finish_poses(batch.boxes.with_(keypoints=values_by_hand), document(drawn.folder).spec.poses)
    assert rows["plain"].figures["AP"] == pytest.approx(evaluate(drawn.truth, poses)["AP"], abs=1e-6)


def test_tables_in_the_papers_layout(ablated: Entry, tmp_path: Path) -> None:
    lines = ablation_lines(ablated)
    assert any("techniques, laid out as CCM Table 7" in line for line in lines)
    assert any("flip shift, laid out as CCM Table 8" in line for line in lines)
    order = [line for line in lines if ">=" in line]
    assert [line.split(" (CCM")[0] for line in order] == ["SOA >= SSP", "SSP >= Soft-NMS", "Soft-NMS >= GF"]
    table = ablation_table(ablated)
    assert table[table["table"] == "techniques"]["SSP"].tolist() == [
        "",
        "",
        "x",
        "",
        "",
        "x",
        "",
        "x",
        "x",
        "x",
    ]
    assert len(table) == 13
    write_ablation_markdown(ablated, tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text()
    assert text.count("### ") == 2 and "| SSP |" in text


GRID_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong value": ({"techniques": {"GF": {"decode": {"blur": 4}}}}, "grid.techniques.GF.decode.blur"),
    "unknown key": ({"techniques": {"GF": {"decode": {"blurr": 5}}}}, "did you mean 'blur'"),
    "unknown table": ({"techniques": {"GF": {"network": {}}}}, "[network] is no table of post-processing"),
    "other boxes": ({"plain": {"boxes": {"source": "image"}}}, "asks for boxes that are not stored"),
    "no table": ({"sweeps": {"nms": {"key": "poses", "values": [0.9]}}}, "0.9 is no table of [poses]"),
}


@pytest.mark.parametrize("fault", GRID_FAULTS)
def test_a_grid_that_does_not_fit(fault: str, tmp_path: Path) -> None:
    grid, sentence = GRID_FAULTS[fault]
    with pytest.raises(InputError) as error:
        grid_tables(document(tmp_path, grid=grid))
    assert sentence in str(error.value)


def test_the_shipped_grid_fits_every_source_of_boxes(tmp_path: Path) -> None:
    titles = {source: [table.title for table in grid_tables(document(tmp_path, boxes={"source": source}))]
              for source in ("truth", "detections")}  # fmt: skip
    assert "box NMS" in titles["detections"] and "box NMS" not in titles["truth"]
    udp = {"refine": "dark_udp", "refine_blur": 11, "border": "reflect"}
    assert grid_tables(document(tmp_path, decode=udp))[0].rows[0].setting.decode.refine == "argmax"
    fused = document(tmp_path, boxes={"source": "detections", "nms": "fusion"})
    assert "box NMS" not in [table.title for table in grid_tables(fused)]
