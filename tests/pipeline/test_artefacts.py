"""Artefacts: named by what they are made from, complete under their name, checkable afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kpkit.core import files as files_module
from kpkit.core.errors import InputError
from kpkit.pipeline.artefacts import (
    MANIFEST,
    Artefact,
    all_artefacts,
    content_hash,
    damaged_files,
    read_artefact,
)


def artefact(runs: Path, **changes: Any) -> Artefact:
    known: dict[str, Any] = {
        "kind": "recipes",
        "name": "tiny",
        "resolved": {"training": {"epochs": [1, 2], "seed": 0}, "network": {"name": "x"}},
        "inputs": {"C": "0" * 64},
        "runs": runs,
    }
    return Artefact(**(known | changes))


def publish(made: Artefact, seconds: float = 1.0, **texts: str) -> Path:
    with made.working() as work:
        for name, text in ({"weights.bin": "abc", "members/a.npz": "def"} | texts).items():
            path = work / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        made.publish({"AP": 0.5}, seconds, seed=3)
    return made.folder


# --- identity


@pytest.mark.parametrize(
    "changes",
    [
        {"resolved": {"training": {"epochs": [1, 3], "seed": 0}, "network": {"name": "x"}}},
        {"resolved": {"training": {"epochs": [2, 1], "seed": 0}, "network": {"name": "x"}}},
        {"inputs": {"C": "1" * 64}},
        {"inputs": {"A": "0" * 64}},
        {"inputs": {"C": "0" * 64, "H": "2"}},
        {"kind": "ensembles"},
        {"format": 2},
    ],
    ids=["value", "order", "input", "role", "more", "kind", "format"],
)
def test_the_key_changes_with_what_shapes_the_result(tmp_path: Path, changes: dict[str, Any]) -> None:
    plain, other = artefact(tmp_path), artefact(tmp_path, **changes)
    assert plain.key != other.key
    assert plain.folder != other.folder


def test_the_key_does_not_change_with_the_rest(tmp_path: Path) -> None:
    plain = artefact(tmp_path)
    reordered = {"network": {"name": "x"}, "training": {"seed": 0, "epochs": [1, 2]}}
    assert artefact(tmp_path, resolved=reordered).key == plain.key
    assert artefact(tmp_path / "elsewhere").key == plain.key
    renamed = artefact(tmp_path, name="other")
    assert renamed.key == plain.key
    assert renamed.folder.name == f"other-{plain.key[:8]}"
    assert plain.folder == tmp_path / "recipes" / f"tiny-{plain.key[:8]}"


def test_about_is_not_part_of_a_document_s_result(tmp_path: Path) -> None:
    """The graph leaves out what people read and how files are found; everything else counts."""
    from kpkit.pipeline.node import hashed_tables
    from kpkit.specs.recipe import RecipeSpec

    tables: dict[str, Any] = {
        "kind": "recipe",
        "network": {"name": "cpn_resnet50"},
        "data": {"C": "mine"},
        "training": {"phases": ["C"], "epochs": [1]},
    }

    def key(**more: Any) -> str:
        return artefact(tmp_path, resolved=hashed_tables(RecipeSpec.model_validate(tables | more))).key

    plain = key()
    assert key(about={"source": "a paper", "published_ap": 70.1}) == plain
    assert key(codec={"padding": 1.25}) == plain  # the default, written out
    assert key(codec={"padding": 1.3}) != plain
    assert key(training={"phases": ["C"], "epochs": [1], "seed": 1}) != plain


# --- publishing


def test_a_published_folder_says_what_it_is(tmp_path: Path) -> None:
    made = artefact(tmp_path)
    assert not made.done
    folder = publish(made)
    assert made.done
    assert not made.work.exists()
    manifest = read_artefact(folder).manifest
    assert manifest["key"] == made.key
    assert manifest["document"] == made.resolved
    assert manifest["inputs"] == made.inputs
    assert manifest["seed"] == 3
    assert read_artefact(folder).metrics == {"AP": 0.5}
    assert manifest["versions"]["torch"]
    assert sorted(manifest["files"]) == ["members/a.npz", "weights.bin"]
    assert manifest["files"]["weights.bin"]["bytes"] == 3
    assert manifest["timings"]["finished"].endswith("Z")
    assert damaged_files(folder) == []


def test_scratch_is_not_published(tmp_path: Path) -> None:
    folder = publish(
        artefact(tmp_path), **{"progress.json": "[]", "parts/p.npz": "x", "checkpoints/step.pt": "y"}
    )
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
    assert found == ["manifest.json", "members", "members/a.npz", "weights.bin"]


@pytest.mark.parametrize("place", ["write_json", "fsync", "rename"])
def test_a_failure_in_the_middle_leaves_no_final_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    made = artefact(tmp_path)
    with monkeypatch.context() as broken:
        if place == "write_json":
            broken.setattr("kpkit.pipeline.artefacts.write_json", fail)
        else:
            broken.setattr(files_module.os, place, fail)
        with pytest.raises(OSError, match="no space left"):
            publish(made)
    assert not made.folder.exists()
    assert not made.done
    assert all_artefacts(tmp_path) == []
    # the next try finds its work and finishes
    assert (made.work / "weights.bin").exists()
    publish(made)
    assert damaged_files(made.folder) == []


def test_the_final_name_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One rename of a folder that holds everything, the manifest too."""
    made = artefact(tmp_path)
    seen: list[list[str]] = []

    def noting(source: Any, target: Any) -> None:
        seen.append(sorted(p.name for p in Path(source).iterdir()))
        os.replace(source, target)

    monkeypatch.setattr(files_module.os, "rename", noting)
    publish(made)
    assert seen == [["manifest.json", "members", "weights.bin"]]


def test_whoever_comes_second_leaves_the_first_one_s_work(tmp_path: Path) -> None:
    made = artefact(tmp_path)
    folder = publish(made)
    before = (folder / MANIFEST).read_bytes()
    publish(made, **{"weights.bin": "other"})
    assert (folder / MANIFEST).read_bytes() == before
    assert damaged_files(folder) == []
    assert not made.work.exists()


def test_leftovers_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    made = artefact(tmp_path)
    with made.working() as work:
        (work / "parts").mkdir()
        (work / "parts/.part-0.npz.77.tmp").write_text("half")
        (work / "parts/part-1.npz").write_text("whole")
    with made.working() as work:
        assert [p.name for p in (work / "parts").iterdir()] == ["part-1.npz"]


# --- reading back


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_damage_is_noticed(tmp_path: Path) -> None:
    folder = publish(artefact(tmp_path))
    flip_byte(folder / "weights.bin")
    assert damaged_files(folder) == ["weights.bin"]
    (folder / "members/a.npz").unlink()
    assert sorted(damaged_files(folder)) == ["members/a.npz", "weights.bin"]
    flip_byte(folder / "weights.bin")
    assert damaged_files(folder) == ["members/a.npz"]


def test_the_content_hash_knows_names_and_bytes_only(tmp_path: Path) -> None:
    def content(runs: str, seconds: float, **texts: str) -> str:
        folder = publish(artefact(tmp_path / runs), seconds, **texts)
        manifest = read_artefact(folder).manifest
        assert manifest["content"] == content_hash(manifest["files"])
        return str(manifest["content"])

    plain = content("a", 1.0)
    assert content("b", 99.0) == plain
    assert content("c", 1.0, **{"weights.bin": "abd"}) != plain
    assert content("d", 1.0, more="") != plain
    swapped = content("e", 1.0, **{"weights.bin": "def", "members/a.npz": "abc"})
    assert swapped != plain


def test_all_artefacts_in_order_without_work(tmp_path: Path) -> None:
    assert all_artefacts(tmp_path) == []
    for kind, name in (("recipes", "b"), ("recipes", "a"), ("ensembles", "z")):
        publish(artefact(tmp_path, kind=kind, name=name))
    unfinished = artefact(tmp_path, name="c")
    with unfinished.working() as work:
        (work / MANIFEST).write_text("{}")  # killed between the manifest and the final name
    (tmp_path / "recipes/notes").mkdir()
    found = [(a.manifest["kind"], a.manifest["name"]) for a in all_artefacts(tmp_path)]
    assert found == [("ensembles", "z"), ("recipes", "a"), ("recipes", "b")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"x"', json.dumps({"kind": 1, "name": 2})])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    folder = publish(artefact(tmp_path))
    (folder / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json: not "):
        read_artefact(folder)
