"""Unknown keys and wrong values: refused with file, dotted key, value, what is allowed, the nearest name."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.specs.base import did_you_mean, parse
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import KINDS, load
from kpkit.specs.recipe import RecipeSpec, TrainingSpec

RECIPE = """
kind = "recipe"
[network]
name = "cpn_resnet50"
[data]
A = "aic_train"
C = "coco_train2017"
H = { boxes = "coco_train2017", min_score = 0.6 }
[training]
phases = ["CH", "C"]
epochs = [2, 1]
"""
ENSEMBLE = 'kind = "ensemble"\n[[members]]\nrecipe = "a"\n[[members]]\nrecipe = "b"\n'


def tables(text: str, changes: str = "") -> dict[str, Any]:
    """A document with some dotted keys set."""
    data = tomllib.loads(text)
    for key, value in tomllib.loads(changes).items():
        lay(data, key, value)
    return data


def lay(under: dict[str, Any], key: str, value: Any) -> None:
    if isinstance(value, dict) and isinstance(under.get(key), dict):
        for inner, inner_value in value.items():
            lay(under[key], inner, inner_value)
    else:
        under[key] = value


def refusal(text: str, changes: str) -> InputError:
    data = tables(text, changes)
    model = KINDS[data["kind"]][1]
    with pytest.raises(InputError) as caught:
        parse(model, data, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "changes", "key", "nearest"),
    [
        (RECIPE, "trainig.seed = 1", "trainig", "training"),
        (RECIPE, "training.batchsize = 1", "training.batchsize", "batch_size"),
        (RECIPE, "training.schedule.warmupsteps = 1", "training.schedule.warmupsteps", "warmup_steps"),
        (RECIPE, "network.inputsize = [64, 64]", "network.inputsize", "input_size"),
        (RECIPE, "data.H.min_scor = 0.5", "data.H.min_scor", "min_score"),
        (RECIPE, 'data.c = "x"', "data.c", None),
        (RECIPE, 'datasets.mine = {format = "coco", annotation = "a", annotations = "b", images = "i"}',
         "datasets.mine.annotation", "annotations"),
        (RECIPE, 'datasets.images = {format = "coco", image = "a", annotations = "b", images = "i"}',
         "datasets.images.image", "images"),
        (RECIPE, "about.publishd_ap = 3", "about.publishd_ap", "published_ap"),
        (ENSEMBLE, 'members = [{recipe = "a"}, {recipe = "b", wieght = 2}]', "members.1.wieght", "weight"),
        (ENSEMBLE, "decode.flip_tset = true", "decode.flip_tset", "flip_test"),
        (ENSEMBLE, "boxes.min_scores = 0.1", "boxes.min_scores", "min_score"),
        (ENSEMBLE, "memmbers = 1", "memmbers", "members"),
    ],
)  # fmt: skip
def test_unknown_keys(text: str, changes: str, key: str, nearest: str | None) -> None:
    error = refusal(text, changes)
    assert (error.row, error.cause) == (key, "unknown key")
    assert error.remedy is not None
    if nearest:
        assert error.remedy.startswith(f"did you mean {nearest!r}? known: ")


def test_every_table_refuses_a_key_it_does_not_know() -> None:
    """Also tables that are written later: the whole tree of models is walked."""
    seen = set()
    waiting = [model for _, model in KINDS.values()]
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        assert model.model_config["extra"] == "forbid", model
        assert model.model_config["frozen"], model
        for info in model.model_fields.values():
            waiting += list(_models(info.annotation))
    assert len(seen) > 12


def _models(annotation: Any) -> Any:
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


@pytest.mark.parametrize(
    ("changes", "key", "shown", "allowed"),
    [
        ('training.batch_size = "32"', "training.batch_size", "'32'", "a valid integer"),
        ("training.batch_size = 8.0", "training.batch_size", "8.0", "a valid integer"),
        ("training.batch_size = true", "training.batch_size", "True", "a valid integer"),
        ("training.batch_size = 0", "training.batch_size", "0", "greater than 0"),
        ('training.learning_rate = "1e-3"', "training.learning_rate", "'1e-3'", "a valid number"),
        ("training.learning_rate = -1", "training.learning_rate", "-1", "greater than 0"),
        ("training.learning_rate = inf", "training.learning_rate", "inf", "finite"),
        ("training.ema = 1", "training.ema", "1", "less than 1"),
        ('training.optimizer = "sgd"', "training.optimizer", "'sgd'", "'adam' or 'adamw'"),
        ("training.epochs = [2, 0]", "training.epochs.1", "0", "greater than 0"),
        ("training.phases = 3", "training.phases", "3", "array"),
        ('training.phases = ["CH", 3]', "training.phases.1", "3", "string"),
        ('training.phases = "CH -> CX"', "training.phases", "CX", "distinct letters of A, C, H, U"),
        ('training.phases = "CH -> "', "training.phases", "'CH -> '", "distinct letters of A, C, H, U"),
        ('training.phases = ["CH", "CX"]', "training.phases", "CX", "distinct letters of A, C, H, U"),
        ('training.phases = ["CC", "C"]', "training.phases", "CC", "distinct letters of A, C, H, U"),
        ('training.phases = ["", "C"]', "training.phases", "''", "distinct letters of A, C, H, U"),
        ('training.phases = ["C", "H"]', "training.phases", "'H'", "no keypoint"),
        ("training.seed = -1", "training.seed", "-1", "greater than or equal to 0"),
        ("network.input_size = [128, 95]", "network.input_size.1", "95", "multiple of 32"),
        ("network.input_size = [128]", "network.input_size.1", "[128]", "required"),
        ("network.input_size = [128, 96, 3]", "network.input_size", "[128, 96, 3]", "2"),
        ("network.std = [0.1, 0.1, 0.0]", "network.std.2", "0.0", "greater than 0"),
        ("network.name = 3", "network.name", "3", "string"),
        ("codec.sigmas = [1, 2]", "codec.sigmas", "1", "widest first"),
        ("codec.sigmas = []", "codec.sigmas", "[]", "one or more"),
        ("codec.kernels = [7, 9]", "codec.kernels", "7", "widest first"),
        ("codec.kernels = [9, 6]", "codec.kernels", "6", "odd"),
        ("codec.margins = [1.1]", "codec.margins.1", "[1.1]", "required"),
        ("codec.margins = [1.1, 0.9]", "codec.margins.1", "0.9", "greater than or equal to 1"),
        ("codec.peak = 0", "codec.peak", "0", "greater than 0"),
        ('network.channel_order = "gbr"', "network.channel_order", "'gbr'", "'rgb' or 'bgr'"),
        ("codec.padding = 0.9", "codec.padding", "0.9", "greater than or equal to 1"),
        ('codec.convention = "udp"', "codec.convention", "'udp'", "'classic', 'megvii' or 'unbiased'"),
        ("data.H.min_score = 1.5", "data.H.min_score", "1.5", "less than or equal to 1"),
        ('data.H = "coco_train2017"', "data.H", "'coco_train2017'", "object"),
        ("data.ratios = {A = 0}", "data.ratios.A", "0", "greater than 0"),
        ("data.loss_weights = {C = 0}", "data.loss_weights.C", "0", "greater than 0"),
        ("training.keypoint_weights = {nose = 0}", "training.keypoint_weights.nose", "0", "greater than 0"),
        ("training.resampling = {thresholds = []}", "training.resampling.thresholds", "[]", "at least 1"),
        (
            "training.resampling = {thresholds = [0.8, 1.1]}",
            "training.resampling.thresholds.1",
            "1.1",
            "equal to 1",
        ),
        (
            "training.resampling = {thresholds = [0.8], every = 0}",
            "training.resampling.every",
            "0",
            "greater than 0",
        ),
        ("decode.flip_shift = -2", "decode.flip_shift", "-2", "greater than or equal to -1 or 'exact'"),
        ("decode.flip_shift = 2", "decode.flip_shift", "2", "less than or equal to 1 or 'exact'"),
        ('decode.flip_shift = "exat"', "decode.flip_shift", "'exat'", "a valid number or 'exact'"),
        ("decode.blur = 4", "decode.blur", "4", "odd"),
        ("decode.blur = 33", "decode.blur", "33", "less than or equal to 31"),
        ("decode.refine_blur = 4", "decode.refine_blur", "4", "odd"),
        ('decode.refine = "drak"', "decode.refine", "'drak'", "dark_udp"),
        ('decode.flip_test = "yes"', "decode.flip_test", "'yes'", "boolean"),
        ("poses.max_poses = 21", "poses.max_poses", "21", "less than or equal to 20"),
        ("poses.oks_nms = nan", "poses.oks_nms", "nan", "finite"),
    ],
)
def test_wrong_values(changes: str, key: str, shown: str, allowed: str) -> None:
    error = refusal(RECIPE, changes)
    assert error.row == key
    assert shown in error.cause or key in ("codec.sigmas", "codec.kernels")
    assert error.cause.startswith("value ")
    assert error.cause.endswith("is not allowed")
    assert allowed in (error.remedy or "").replace("Field required", "required")


@pytest.mark.parametrize(
    ("changes", "row", "cause"),
    [
        ("training.epochs = [2]", "training", "epochs must hold one number per phase"),
        ("training.epochs = []\ntraining.steps = [2]", "training", "steps must hold one number per phase"),
        ("training.steps = [9, 9]", "training", "phases last epochs or steps, not both"),
        ('decode.refine = "argmax"\ndecode.refine_blur = 3', "decode", "refine_blur has nothing to do"),
        ('decode.border = "reflect"', "decode", "border = 'reflect' has nothing to do without blur"),
        ('training.phases = ["ACHU", "C"]', None, "a phase shows U, but data.U is not named"),
        ('training.schedule = {kind = "step"}', "training.schedule", "milestones go with"),
        ("training.schedule = {milestones = [3]}", "training.schedule", "milestones go with"),
        ('codec.target = "kernel"', "codec", 'target = "kernel" takes kernels, and no sigmas'),
        (
            'codec.target = "kernel"\ncodec.kernels = [7]\ncodec.sigmas = [2]',
            "codec",
            'target = "kernel" takes kernels, and no sigmas',
        ),
        ("codec.kernels = [7]", "codec", 'target = "gaussian" takes sigmas, and no kernels'),
        ("data.ratios = {C = 1}", "data.ratios", "ratios are named A, H or U"),
        ("data.loss_weights = {B = 1}", "data.loss_weights", "loss weights are named A, C, H or U"),
        (
            "training.keypoint_weights = {left_wirst = 1.5}",
            None,
            "training.keypoint_weights names 'left_wirst', no keypoint of coco17; did you mean 'left_wrist'?",
        ),
        (
            'data.A = "aic_train"\ntraining.phases = ["A", "A"]\ntraining.resampling = {thresholds = [0.8]}',
            None,
            "training.resampling judges the people of C, but no phase shows C",
        ),
    ],
)
def test_keys_that_do_not_go_together(changes: str, row: str | None, cause: str) -> None:
    error = refusal(RECIPE, changes)
    assert error.row == row
    assert error.cause.startswith(cause)


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("C", ("C",)),
        ("A -> C", ("A", "C")),
        ("ACHU→CH", ("ACHU", "CH")),
        (" CHU ->C -> CH", ("CHU", "C", "CH")),
    ],
)
def test_a_strategy_in_the_paper_s_words(text: str, phases: tuple[str, ...]) -> None:
    told = {"phases": text, "epochs": [1] * len(phases)}
    assert parse(TrainingSpec, told, "x").phases == phases
    assert parse(TrainingSpec, told, "x") == parse(TrainingSpec, told | {"phases": list(phases)}, "x")


def test_a_recipe_listed_twice() -> None:
    error = refusal(ENSEMBLE, 'members = [{recipe = "a"}, {recipe = "a"}]')
    assert "listed twice" in str(error)
    assert "larger weight" in str(error)
    assert refusal(ENSEMBLE, "members = []").row == "members"
    weight = refusal(ENSEMBLE, 'members = [{recipe = "a", weight = 0}]')
    said = "a number above 0, or a table of numbers of 0 and more by keypoint"
    assert (weight.row, weight.remedy) == ("members.0.weight", said)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("network", "network: required key is missing; add it"),
        ("data", "a phase shows C, but data.C is not named"),
        ("training", "a recipe needs training.phases, or weights that are already trained"),
    ],
)
def test_missing_tables(key: str, message: str) -> None:
    data = tables(RECIPE)
    del data[key]
    with pytest.raises(InputError, match=f"^mine.toml: {re.escape(message)}$"):
        parse(RecipeSpec, data, "mine.toml")
    data = tables(RECIPE)
    del data["training"]["epochs"]
    with pytest.raises(InputError, match=r"^mine\.toml: training: epochs must hold one number per phase"):
        parse(RecipeSpec, data, "mine.toml")


def test_the_other_faults_are_counted() -> None:
    error = refusal(RECIPE, 'training.batch_size = "x"\ntraining.ema = 5\ndecode.flip_shift = 3')
    assert error.cause == "value 'x' is not allowed (and 3 more)"
    assert len(str(refusal(RECIPE, f'training.batch_size = "{"x" * 900}"'))) < 200


def test_what_toml_writes_otherwise_is_taken() -> None:
    """A whole number for a real one, and a date for the text it looks like."""
    data = tables(RECIPE, "training.learning_rate = 1\nabout.published_on = 2024-05-06")
    assert data["about"]["published_on"] == datetime.date(2024, 5, 6)
    spec = parse(RecipeSpec, data, "mine.toml")
    assert spec.training.learning_rate == 1.0
    assert spec.about.published_on == "2024-05-06"
    assert parse(EnsembleSpec, tables(ENSEMBLE, "decode.flip_shift = 1"), "x").decode.flip_shift == 1.0


def test_the_file_is_named_through_extends(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(RECIPE)
    leaf = tmp_path / "leaf.toml"
    leaf.write_text('extends = "base"\n[training]\nbatch_size = "8"\n')
    with pytest.raises(InputError) as caught:
        load(str(leaf))
    assert str(caught.value) == (
        f"{leaf}: training.batch_size: value '8' is not allowed; Input should be a valid integer"
    )


@given(st.text(min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_unknown_key_gets_through(key: str) -> None:
    if key in RecipeSpec.model_fields:
        return
    with pytest.raises(InputError, match="unknown key"):
        parse(RecipeSpec, tables(RECIPE) | {key: 1}, "mine.toml")


def test_did_you_mean() -> None:
    assert did_you_mean("val_box", ["val_boxes", "val"]) == "did you mean 'val_boxes'? known: val, val_boxes"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
