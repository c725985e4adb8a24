"""Documents on disk: extends, names, kinds, strictness. Every refusal names file, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kpkit.core.errors import InputError
from kpkit.specs.loader import KINDS, load, shipped, shipped_root

RECIPE = """
kind = "recipe"
[network]
name = "cpn_resnet50"
[data]
C = "coco_train2017"
H = { boxes = "coco_train2017", min_score = 0.6 }
[training]
phases = ["CH", "C"]
epochs = [2, 1]
"""
ENSEMBLE = """
kind = "ensemble"
[[members]]
recipe = "a"
[[members]]
recipe = "b"
weight = 2
"""
LABELS = """
kind = "pseudo_labels"
images = "coco_unlabeled2017"
labelled = "coco_train2017"
[[teachers]]
recipe = "a"
"""
SUBMISSION = """
kind = "submission"
ensemble = "e"
[[entries]]
profile = "test-dev2017"
images = "coco_test-dev2017"
"""
STUDY = 'kind = "study"\nrecipes = ["a", "b"]\n'
WHOLE = {
    "recipes": RECIPE, "ensembles": ENSEMBLE, "pseudo_labels": LABELS, "submissions": SUBMISSION,
    "studies": STUDY,
}  # fmt: skip


def put(root: Path, place: str, text: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(str(path), **options)
    assert str(caught.value).count("\n") == 0
    return caught.value


@pytest.mark.parametrize(("folder", "text"), WHOLE.items())
def test_the_smallest_document_of_each_kind_loads(tmp_path: Path, folder: str, text: str) -> None:
    document = load(str(put(tmp_path, f"{folder}/mine.toml", text)))
    assert (document.name, KINDS[document.kind][0]) == ("mine", folder)
    assert document.spec.kind == document.kind


@pytest.mark.parametrize(
    "path", [p for p in shipped() if not p.name.startswith("zz_")], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_shipped_documents_load(path: Path) -> None:
    document = load(str(path))
    assert KINDS[document.kind][0] == path.parent.name
    assert load(path.stem, document.kind).path == path
    if document.kind == "recipe":
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert len(lines) <= 30, "a leaf recipe lists only what differs from its base"


def test_documents_cannot_be_changed(tmp_path: Path) -> None:
    spec = load(str(put(tmp_path, "a.toml", RECIPE))).spec
    for table, key in ((spec, "codec"), (spec.training, "batch_size"), (spec.data.H, "min_score")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(table, key, getattr(table, key))
    for value in (spec.training.phases, spec.codec.sigmas, spec.network.mean):
        assert isinstance(value, tuple)


# --- extends


def test_tables_merge_and_lists_are_replaced(tmp_path: Path) -> None:
    put(tmp_path, "base/low.toml", RECIPE + "batch_size = 8\nlearning_rate = 0.5\n[codec]\nsigmas = [3, 2]\n")
    put(tmp_path, "middle.toml", 'extends = "base/low"\n[training]\nlearning_rate = 0.25\n')
    leaf = put(
        tmp_path,
        "leaf.toml",
        'extends = ["middle"]\n[training]\nepochs = [5, 6]\n[codec]\nsigmas = [4]\n[network]\nname = "x"\n',
    )
    spec = load(str(leaf)).spec
    assert spec.training.batch_size == 8
    assert spec.training.learning_rate == 0.25
    assert spec.training.epochs == (5, 6)
    assert spec.training.phases == ("CH", "C")
    assert spec.codec.sigmas == (4.0,)
    assert spec.network.name == "x"
    assert spec.data.H.min_score == 0.6


def test_later_bases_and_the_document_itself_win(tmp_path: Path) -> None:
    put(tmp_path, "one.toml", RECIPE + "batch_size = 1\nseed = 1\nohkm = 1\n")
    put(tmp_path, "two.toml", "[training]\nbatch_size = 2\nseed = 2\n")
    leaf = put(tmp_path, "leaf.toml", 'extends = ["one", "two"]\n[training]\nseed = 3\n')
    training = load(str(leaf)).spec.training
    assert (training.batch_size, training.seed, training.ohkm) == (2, 3, 1)


def test_published_figures_are_not_inherited(tmp_path: Path) -> None:
    put(tmp_path, "root.toml", RECIPE + '[about]\npublished_ap = 70.4\nsource = "Table 1"\n')
    leaf = put(tmp_path, "leaf.toml", 'extends = "root"\n[about]\nsource = "Table 2"\n')
    assert load(str(tmp_path / "root.toml")).spec.about.published_ap == 70.4
    about = load(str(leaf)).spec.about
    assert (about.source, about.published_ap) == ("Table 2", None)


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    put(tmp_path, "root.toml", RECIPE)
    put(tmp_path, "left.toml", 'extends = "root"\n')
    put(tmp_path, "right.toml", 'extends = "root"\n[training]\nseed = 4\n')
    leaf = put(tmp_path, "leaf.toml", 'extends = ["left", "right"]\n')
    assert load(str(leaf)).spec.training.seed == 4


@pytest.mark.parametrize("length", [1, 2, 3])
def test_circles_are_refused(tmp_path: Path, length: int) -> None:
    for i in range(length):
        put(tmp_path, f"c{i}.toml", f'extends = "c{(i + 1) % length}"\n' + RECIPE)
    error = refusal(tmp_path / "c0.toml")
    if length == 1:  # a document of its own name is looked for elsewhere: it never means itself
        assert "extends 'c0', which does not exist" in str(error)
    else:
        assert "circle" in str(error)
    assert error.row == "extends"


def test_a_missing_base_is_named_with_its_place(tmp_path: Path) -> None:
    path = put(tmp_path, "leaf.toml", 'extends = "base/gone"\n')
    assert str(refusal(path)) == (
        f"{path}: extends: extends 'base/gone', which does not exist; "
        f"looked at {tmp_path / 'base' / 'gone.toml'}"
    )


@pytest.mark.parametrize("value", ["3", '["a", 3]', "{ a = 1 }"])
def test_extends_is_a_name_or_names(tmp_path: Path, value: str) -> None:
    error = refusal(put(tmp_path, "leaf.toml", f"extends = {value}\n"))
    assert (error.row, error.cause) == ("extends", "must be a name or a list of names")


@pytest.mark.parametrize("base", ["../secret", "/etc/passwd"])
def test_extends_stays_in_its_folder(tmp_path: Path, base: str) -> None:
    put(tmp_path, "secret.toml", RECIPE)
    assert "leaves its folder" in str(refusal(put(tmp_path, "recipes/leaf.toml", f'extends = "{base}"\n')))


# --- kinds and files


def test_kinds(tmp_path: Path) -> None:
    path = put(tmp_path, "a.toml", ENSEMBLE)
    assert str(refusal(path, kind="recipe")) == (
        f"{path}: kind: the kind is ensemble, a document of kind recipe is wanted"
    )
    for text in ('kind = "recipes"', "", "kind = 3", 'kind = ["recipe"]', "[kind]\na = 1"):
        error = refusal(put(tmp_path, "b.toml", text))
        assert (error.row, error.remedy) == (
            "kind",
            "one of recipe, ensemble, pseudo_labels, submission, study",
        )


def test_what_is_no_toml(tmp_path: Path) -> None:
    error = refusal(put(tmp_path, "a.toml", 'kind = "recipe"\n[training\n'))
    assert "not valid TOML" in error.cause
    assert "line 2" in error.cause
    (tmp_path / "b.toml").write_bytes(b'kind = "\xff"')
    assert "not valid TOML" in refusal(tmp_path / "b.toml").cause
    assert refusal(tmp_path / "none.toml").cause == "no such document"
    assert refusal(tmp_path).cause == "no such document"


# --- names


def test_a_name_is_found_beside_the_document_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(put(tmp_path, "elsewhere/x", "").parent)
    ensemble = put(tmp_path, "house/ensembles/e.toml", ENSEMBLE)
    recipe = put(tmp_path, "house/recipes/a.toml", RECIPE)
    assert load("a", "recipe", beside=ensemble).path == recipe
    with pytest.raises(InputError, match="no recipe is called 'a'"):
        load("a", "recipe")
    flat = put(tmp_path, "flat/e.toml", ENSEMBLE)
    beside = put(tmp_path, "flat/a.toml", RECIPE)
    assert load("a", "recipe", beside=flat).path == beside


def test_a_document_of_another_kind_beside_it_is_not_taken(tmp_path: Path) -> None:
    """ensembles/b.toml that names the recipe "a" means recipes/a.toml, also where ensembles/a.toml exists."""
    namer = put(tmp_path, "ensembles/b.toml", ENSEMBLE)
    put(tmp_path, "ensembles/a.toml", ENSEMBLE)
    recipe = put(tmp_path, "recipes/a.toml", RECIPE)
    assert load("a", "recipe", beside=namer).path == recipe
    # and a document may name one of its own name and another kind
    own = put(tmp_path, "recipes/b.toml", RECIPE)
    assert load("b", "recipe", beside=namer).path == own


def test_names_in_the_working_folder_come_before_the_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("tiny_cpn", "recipe").path == shipped_root() / "recipes/tiny_cpn.toml"
    mine = put(tmp_path, "recipes/tiny_cpn.toml", RECIPE)
    assert load("tiny_cpn", "recipe").path == mine
    assert load("tiny_cpn").path == mine


def test_a_relative_path_is_taken_from_the_document_that_names_it(tmp_path: Path) -> None:
    namer = put(tmp_path, "e.toml", ENSEMBLE)
    recipe = put(tmp_path, "deep/a.toml", RECIPE)
    assert load("deep/a.toml", "recipe", beside=namer).path == recipe


def test_ambiguous_and_unknown_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "recipes/twins.toml", RECIPE)
    put(tmp_path, "ensembles/twins.toml", ENSEMBLE)
    with pytest.raises(InputError) as caught:
        load("twins")
    assert str(caught.value) == (
        "'twins' could be recipes/twins.toml and ensembles/twins.toml; give the path"
    )
    assert load("twins", "ensemble").kind == "ensemble"
    with pytest.raises(InputError, match=r"no document is called 'twin'; did you mean 'twins'\?"):
        load("twin")
