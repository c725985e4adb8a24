"""A foreign checkpoint into kpkit's form: safetensors, a manifest, and a recipe of a member or a refiner."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash, replacing
from kpkit.core.skeletons import SKELETONS
from kpkit.models.catalogue import create_model, find_model
from kpkit.models.posefix import pose_sigma
from kpkit.models.weights.carry import SKELETON
from kpkit.models.weights.load import Loaded, load_weights, save_tensors
from kpkit.models.weights.manifest import WeightsManifest
from kpkit.models.weights.rules import Convention, Rules
from kpkit.models.weights.sources import find_rules
from kpkit.specs.base import did_you_mean, parse
from kpkit.specs.datasets import SkeletonName
from kpkit.specs.recipe import RecipeSpec

Triple = tuple[float, float, float]

_FIRST_TRAINING: Mapping[str, Any] = {
    "data": {"C": "coco_train2017", "val": "coco_val2017"},
    "training": {
        "phases": ["C"],
        "epochs": [210],
        "learning_rate": 1e-3,
        "schedule": {"kind": "step", "milestones": [170, 200]},
    },
}
"""What the recipe of a backbone proposes: HRNet's schedule on COCO."""


@dataclass(frozen=True)
class Imported:
    """The three files an import wrote, what they say, and what became of the tensors.

    Attributes:
        codec: name of the source's convention; empty for a backbone, which has none.
        others: further conventions this source's networks are trained with, which the file does not tell.
    """

    weights: Path
    manifest: Path
    recipe: Path
    said: WeightsManifest
    loaded: Loaded
    codec: str
    others: tuple[str, ...]


def import_weights(
    file: str | Path,
    *,
    source: str,
    network: str,
    out: str | Path,
    input_size: tuple[int, int] = (256, 192),
    skeleton: str = "coco17",
    options: Mapping[str, Any] | None = None,
    codec: str | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
) -> Imported:
    """Read a checkpoint strictly and write ``OUT.safetensors``, ``OUT.json`` and ``OUT.toml``.

    The three take their names together, when all are complete, the manifest last.

    Args:
        file: what the source published.
        source: who named the tensors, a key of ``SOURCES`` but kpkit's own two.
        network: catalogue name of the network they fill.
        out: path of the three files without their endings; none of them may exist.
        input_size: (height, width) in pixels of the crops the network was trained with.
        skeleton: the keypoints of its heatmaps: ``"coco17"`` or ``"aic14"``, in that skeleton's order.
        options: the catalogue's builder parameters.
        codec: which of the source's conventions; the first where nothing is said.
        mean, std: of pictures scaled to 0..1, where the weights were trained with others than the source's.

    Raises:
        InputError: anything wrong with the file or the arguments; nothing is written then.
    """
    if source in ("kpkit", "kpkit-encoder"):
        remedy = "name the file as weights in a recipe, or its recipe as start"
        raise InputError("kpkit's own weights need no import", remedy=remedy)
    for key, values, low in (("mean", mean or (0.0,), -math.inf), ("std", std or (1.0,), 0.0)):
        if not all(low < value < math.inf for value in values):
            raise InputError(f"{key} is {values}, not three {'numbers' if key == 'mean' else 'above 0'}")
    paths = _free_paths(Path(out))
    if skeleton not in SKELETONS:
        raise InputError(f"no skeleton is called {skeleton!r}", remedy=did_you_mean(skeleton, SKELETONS))
    keypoints = len(SKELETONS[skeleton])
    options = dict(options or {})
    with torch.device("meta"):
        net = create_model(network, input_size=input_size, keypoints=keypoints, **options)
    rules = find_rules(net, source)
    name, convention = _convention(rules, source, codec)
    net = net.to_empty(device="cpu")
    loaded = load_weights(net, file, source)
    whole = loaded.part == "network"
    table = {**convention.codec, **convention.codec_at.get(input_size, {})}
    said = WeightsManifest(
        weights=paths["weights"].name,
        sha256="0" * 64,  # until the file is there
        source=source,
        source_file=Path(file).name,
        source_sha256=file_hash(file),
        part=loaded.part,
        network=network,
        options={key: list(v) if isinstance(v, tuple) else v for key, v in options.items()},
        input_size=input_size,
        skeleton=cast("SkeletonName", skeleton),
        codec=table,
        mean=mean or convention.mean,
        std=std or convention.std,
        channel_order=convention.channel_order,
        peak=table.get("peak", 1.0) if whole else None,
        dropped=loaded.dropped,
        fresh=loaded.fresh,
    )
    text = _recipe(said, convention)
    parse(RecipeSpec, tomllib.loads(text), paths["recipe"])
    filled = {name: tensor for name, tensor in net.state_dict().items() if name not in set(loaded.fresh)}
    with (
        replacing(paths["manifest"]) as manifest,
        replacing(paths["recipe"]) as recipe,
        replacing(paths["weights"]) as weights,
    ):
        save_tensors(filled, weights, {SKELETON: skeleton})
        said = said.model_copy(update={"sha256": file_hash(weights)})
        recipe.write_text(text, encoding="utf-8")
        manifest.write_text(said.model_dump_json(indent=1) + "\n", encoding="utf-8")
    others = tuple(other for other in rules.conventions if other != name) if codec is None else ()
    return Imported(**paths, said=said, loaded=loaded, codec=name if whole else "", others=others)


def _free_paths(out: Path) -> dict[str, Path]:
    """Paths of the three files; InputError where one is taken, since a recipe may have been edited."""
    stem = out.name
    for ending in (".safetensors", ".json", ".toml"):
        stem = stem.removesuffix(ending)
    if not stem:
        raise InputError(f"{out} names no file", remedy="give --out a name, such as weights/hrnet_w32")
    endings = {"weights": "safetensors", "manifest": "json", "recipe": "toml"}
    paths = {key: out.with_name(f"{stem}.{ending}") for key, ending in endings.items()}
    for path in paths.values():
        if path.exists():
            raise InputError(
                "it is there already", file=path, remedy="remove it, or import under another name"
            )
    return paths


def _convention(rules: Rules, source: str, name: str | None) -> tuple[str, Convention]:
    if name is None:
        return next(iter(rules.conventions.items()))
    if rules.part == "backbone":
        raise InputError(f"weights of {source} fill an encoder, which has no codec", remedy="leave it out")
    if name not in rules.conventions:
        raise InputError(
            f"no {source} network of this kind has a codec {name!r}",
            remedy=did_you_mean(name, rules.conventions),
        )
    return name, rules.conventions[name]


def _recipe(said: WeightsManifest, convention: Convention) -> str:
    """The recipe's text: a member or refiner as it is, or for a backbone a training to begin with."""
    fed = {"mean": list(said.mean), "std": list(said.std), "channel_order": said.channel_order}
    document: dict[str, Any] = {
        "kind": "recipe",
        "weights": said.weights,
        "about": {"source": f"{said.source_file} of {said.source}"},
        "network": {
            "name": said.network,
            "skeleton": said.skeleton,
            "input_size": list(said.input_size),
            "options": said.options,
            **fed,
        },
    }
    if said.part == "network":
        document["network"]["precision"] = "fp32"
        document["codec"] = said.codec
        if said.skeleton == "coco17":
            document["data"] = {"val": "coco_val2017"}
        document["decode"] = convention.decode
        document["poses"] = convention.poses
        comment = (
            "Takes the weights as they are, without training; fed, decoded and scored as its source does."
        )
    else:
        document |= _FIRST_TRAINING
        comment = "Trains from weights of the encoder; data, schedule and codec are a proposal."
    if find_model(said.network).refines:
        document["data"] = document.get("data", {}) | {"val_boxes": "truth"}
        document["refinement"] = {"sigma": pose_sigma(said.input_size[0])}
    return f"# {comment}\n{_toml(document)}"


def _toml(document: Mapping[str, Any]) -> str:
    """A document of tables one level deep."""
    tables = {key: value for key, value in document.items() if isinstance(value, Mapping)}
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if key not in tables]
    for name, table in tables.items():
        lines += [
            "",
            f"[{name}]",
            *(f"{key} = {_value(value)}" for key, value in table.items() if value != {}),
        ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # of texts, numbers and truth values JSON writes what TOML reads
