"""Wrong documents and wrong command lines: one sentence, exit code 2, no artefact folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import DOCUMENTS, Kpkit

PLAIN = DOCUMENTS / "recipes" / "nano_plain.toml"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's own document folders, beginning with the test recipes."""
    root = tmp_path / "own"
    shutil.copytree(DOCUMENTS / "recipes", root / "recipes")
    for folder in ("ensembles", "pseudo_labels", "submissions", "studies"):
        (root / folder).mkdir()
    return root


def teachers(names: str) -> str:
    return (
        f'kind = "pseudo_labels"\nteachers = [{names}]\n'
        'images = "coco_unlabeled2017"\nlabelled = "coco_train2017"\n'
    )


DOCUMENT_FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "not_toml": ('kind = "recipe"\nnetwork = {\n', ("not valid TOML", "line 2")),
    "unknown_key": (
        'extends = "nano_plain"\n[training]\nlearning_rat = 1.0\n',
        ("training.learning_rat: unknown key", "did you mean 'learning_rate'?"),
    ),
    "unknown_table": ('extends = "nano_plain"\n[traning]\nseed = 1\n', ("traning", "'training'")),
    "wrong_value": (
        'extends = "nano_plain"\n[training]\nlearning_rate = "fast"\n',
        ("training.learning_rate: value 'fast' is not allowed", "number"),
    ),
    "wrong_phase": (
        'extends = "nano_plain"\n[training]\nphases = ["CX"]\n',
        ("training.phases", "A, C, H, U"),
    ),
    "unknown_network": (
        'extends = "nano_plain"\n[network]\nname = "cpn_resnet5"\n',
        ("network.name", "'cpn_resnet5'", "did you mean 'cpn_resnet50'?"),
    ),
    "unknown_option": (
        'extends = "nano_plain"\n[network.options]\nwidht = 8\n',
        ("network.options.widht", "known: ", "width"),
    ),
    "option_of_a_wrong_type": (
        'extends = "nano_plain"\n[network.options]\nwidth = "wide"\n',
        ("option 'width' is 'wide', not a whole number",),
    ),
    "unknown_dataset": (
        'extends = "nano_plain"\n[data]\nC = "coco_trian2017"\n',
        ("unknown data set 'coco_trian2017'", "did you mean 'coco_train2017'?"),
    ),
    "one_stage_to_resample": (
        'extends = "nano_plain"\n[training]\nresampling = { thresholds = [0.8] }\n',
        ("resampling.thresholds: is for 1 later stage, cpn_resnet50 has none; leave resampling out",),
    ),
    "too_many_thresholds": (
        'extends = "nano_plain"\n[network]\nname = "mspn_resnet50_x2"\n'
        "[training]\nresampling = { thresholds = [0.8, 0.6] }\n",
        ("is for 2 later stages, mspn_resnet50_x2 has 1; give one for each stage after the first",),
    ),
    "base_missing": ('extends = "nothing"\n', ("extends 'nothing', which does not exist",)),
    "no_kind": (
        "[training]\nseed = 1\n",
        ("kind", "one of recipe, ensemble, pseudo_labels, submission, study"),
    ),
}


@pytest.mark.parametrize("name", DOCUMENT_FAULTS)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_faulty_recipes_are_refused_before_anything_runs(
    name: str, command: str, kpkit: Kpkit, own: Path, drawn: Path, tmp_path: Path
) -> None:
    text, wanted = DOCUMENT_FAULTS[name]
    document = own / "recipes" / f"{name}.toml"
    document.write_text(text)
    said = kpkit(command, document, "--data", drawn, "--runs", tmp_path / "runs")
    assert said.code == 2
    assert said.only_sentence.startswith(f"{document}: ")
    for words in wanted:
        assert words in said.sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_members_that_do_not_match_are_told_before_they_are_trained(
    command: str, kpkit: Kpkit, own: Path, drawn: Path, tmp_path: Path
) -> None:
    (own / "recipes" / "large.toml").write_text('extends = "nano_plain"\n[network]\ninput_size = [128, 96]\n')
    ensemble = own / "ensembles" / "mixed.toml"
    members = '{ recipe = "nano_plain" }, { recipe = "large" }'
    ensemble.write_text(f'kind = "ensemble"\nmembers = [{members}]\nval = "coco_val2017"\n')
    labels = own / "pseudo_labels" / "mixed.toml"
    labels.write_text(teachers(members))
    for document in (ensemble, labels):
        said = kpkit(command, document, "--data", drawn, "--runs", tmp_path / "runs")
        assert said.code == 2
        assert said.only_sentence.startswith(f"{document}: ")
        for words in ("nano_plain (classic-64x64", "large (classic-128x96", "do not match", "common_stride"):
            assert words in said.sentence
    assert not (tmp_path / "runs").exists()


def test_a_teacher_that_needs_its_own_labels(kpkit: Kpkit, own: Path, drawn: Path, tmp_path: Path) -> None:
    pupil = own / "recipes" / "pupil.toml"
    pupil.write_text('extends = "nano_cpn"\n[data]\nU = "circular"\n')
    (own / "pseudo_labels" / "circular.toml").write_text(teachers('{ recipe = "pupil" }'))
    said = kpkit("run", pupil, "--data", drawn, "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "circle: pupil -> circular -> pupil" in said.only_sentence


def test_documents_that_extend_each_other(kpkit: Kpkit, own: Path) -> None:
    for one, other in (("ping", "pong"), ("pong", "ping")):
        (own / "recipes" / f"{one}.toml").write_text(f'extends = "{other}"\n')
    said = kpkit("plan", own / "recipes" / "ping.toml")
    assert said.code == 2
    assert "extends" in said.only_sentence and "circle" in said.sentence


@pytest.mark.parametrize(
    ("command", "document"),
    [
        ("train", "ensembles/nano.toml"),
        ("mine", "submissions/nano.toml"),
        ("pseudo-label", "recipes/nano_cpn.toml"),
        ("ensemble", "recipes/nano_cpn.toml"),
        ("submit", "ensembles/nano.toml"),
    ],
)
def test_a_document_of_another_kind(command: str, document: str, kpkit: Kpkit, tmp_path: Path) -> None:
    said = kpkit(command, DOCUMENTS / document, "--runs", tmp_path / "runs")
    assert said.code == 2
    assert said.only_sentence.startswith(f"{DOCUMENTS / document}: kind: ")
    assert "is wanted" in said.sentence


def test_a_recipe_without_negatives_cannot_be_mined(kpkit: Kpkit, own: Path, drawn: Path) -> None:
    recipe = own / "recipes" / "alone.toml"
    recipe.write_text(
        'kind = "recipe"\nnetwork = { name = "cpn_resnet50" }\ndata = { C = "coco_train2017" }\n'
        'training = { phases = ["C"], epochs = [1] }\n'
    )
    said = kpkit("mine", recipe, "--data", drawn)
    assert said.code == 2
    assert said.only_sentence == f"{recipe}: the recipe names no [data.H]"


def test_names_that_are_no_document(kpkit: Kpkit, tmp_path: Path) -> None:
    said = kpkit("run", "tinny")
    assert said.code == 2
    assert said.only_sentence.startswith("no document is called 'tinny'; ")
    path = tmp_path / "mine.toml"
    assert kpkit("run", path).only_sentence == f"{path}: no such document"
    assert kpkit("run", "recipes/tinny.toml").only_sentence == "recipes/tinny.toml: no such document"


def test_shipped_documents_are_found_from_anywhere(
    kpkit: Kpkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = kpkit("plan", "submissions/tiny.toml")
    assert said.code == 0 and "submissions/tiny-" in said.out
    mine = tmp_path / "submissions" / "tiny.toml"
    mine.parent.mkdir()
    mine.write_text("kind = 'submission'")
    said = kpkit("plan", "submissions/tiny.toml")  # one's own comes first
    assert said.code == 2 and said.only_sentence.startswith("submissions/tiny.toml: ")


def test_no_data_folder(kpkit: Kpkit, tmp_path: Path) -> None:
    said = kpkit("run", PLAIN, "--runs", tmp_path / "runs")
    assert said.code == 2
    assert said.only_sentence == "no data folder is named; give --data DIR or set KPKIT_DATA"
    nowhere = tmp_path / "nowhere"
    said = kpkit("run", PLAIN, "--runs", tmp_path / "runs", "--data", nowhere)
    assert said.code == 2
    assert said.only_sentence.startswith(f"{nowhere}: the data folder does not exist")
    assert not (tmp_path / "runs").exists()


def test_the_runs_folder_is_a_file(kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    said = kpkit("run", PLAIN, "--data", drawn, "--runs", tmp_path / "runs", "--no-ray")
    assert said.code == 2
    assert said.only_sentence == f"{tmp_path / 'runs'}: is a file, not a folder of artefacts; give --runs DIR"
    assert (tmp_path / "runs").read_text() == "mine"


def test_ray_and_no_ray(kpkit: Kpkit, drawn: Path) -> None:
    said = kpkit("run", PLAIN, "--data", drawn, "--ray", "auto", "--no-ray")
    assert said.code == 2
    assert said.only_sentence == "--ray and --no-ray exclude each other"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "Missing argument 'DOC'; see kpkit run --help"),
        (["plan", "tiny", "--foo"], "No such option: --foo; see kpkit plan --help"),
        (["evaluate", "x.json"], "Missing option '--truth'; see kpkit evaluate --help"),
        (["ruun"], "No such command 'ruun'"),
        (["run", "tiny", "--cpus", "many"], "Invalid value for '--cpus'"),
        (["run", "tiny", "--cpus", "-1"], "Invalid value for '--cpus'"),
        (["compare", "tiny", "--all"], "--all shows everything"),
        (["models", "cpn_resnet5"], "no network is called 'cpn_resnet5'; did you mean 'cpn_resnet50'?"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_cannot_be_read(arguments: list[str], sentence: str, kpkit: Kpkit) -> None:
    said = kpkit(*arguments)
    assert said.code == 2
    assert said.only_sentence.startswith(sentence)
