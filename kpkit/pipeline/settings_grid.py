"""The settings of an ablation: a document's tables with others over them, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.files import canonical
from kpkit.specs.base import Spec, parse
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.loader import Document
from kpkit.specs.poses import DecodeSpec, PosesSpec


class Setting(Spec):
    """All that happens between stored heatmaps and rows that are judged."""

    decode: DecodeSpec
    poses: PosesSpec
    boxes: BoxesSpec

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        return canonical(self.model_dump(mode="json"))


@dataclass(frozen=True)
class GridRow:
    """A row of a table: its name, the techniques that are on, the setting."""

    name: str
    techniques: tuple[str, ...]
    setting: Setting


@dataclass(frozen=True)
class GridTable:
    """A table: rows compared with the first.

    Attributes:
        title: of the table.
        like: the published table it is laid out as.
        techniques: its columns; none for a sweep.
    """

    title: str
    like: str
    techniques: tuple[str, ...]
    rows: tuple[GridRow, ...]


def grid_tables(document: Document) -> list[GridTable]:
    """The tables of an ensemble document's ``[grid]``.

    Raises:
        InputError: a technique or a value that does not fit the tables it is laid over, or asks for other
            boxes than those whose heatmaps are stored.
    """
    grid = document.spec.grid
    names = tuple(grid.techniques)

    def setting(on: tuple[str, ...], place: str, *more: dict[str, Any]) -> Setting:
        layers = [grid.plain, *(grid.techniques[name] for name in on), *more]
        return _setting(document, layers, place)

    for name in names:  # a fault of a technique is told of it, not of all together
        setting((name,), f"grid.techniques.{name}")
    sets = [(), *((name,) for name in names)]
    if len(names) > 2:
        sets += [tuple(other for other in names if other != name) for name in names]
    if len(names) > 1:
        sets.append(names)
    rows = tuple(GridRow(_title(on, names), on, setting(on, "grid")) for on in sets)
    tables = [GridTable("techniques", "CCM Table 7", names, rows)]
    boxes = document.spec.boxes
    shipped = "sweeps" not in grid.model_fields_set
    for title, sweep in grid.sweeps.items():
        if shipped and sweep.key == "boxes" and (boxes.source != "detections" or boxes.nms == "fusion"):
            continue  # there is nothing to suppress
        rows = tuple(
            GridRow(
                _text(value), names, setting(names, f"grid.sweeps.{title}", _table(sweep.key, value, title))
            )
            for value in sweep.values
        )
        tables.append(GridTable(title, sweep.like, (), rows))
    return tables


def _title(on: tuple[str, ...], names: tuple[str, ...]) -> str:
    if not on:
        return "plain"
    if on == names and len(names) > 1:
        return "all"
    return on[0] if len(on) == 1 else "all but " + next(name for name in names if name not in on)


def _table(key: str, value: Any, title: str) -> dict[str, Any]:
    """A sweep's value as tables."""
    table, _, inner = key.partition(".")
    if not inner and not isinstance(value, dict):
        raise InputError(f"{value!r} is no table of [{table}]", row=f"grid.sweeps.{title}.values")
    return {table: {inner: value} if inner else value}


def _setting(document: Document, layers: list[dict[str, Any]], place: str) -> Setting:
    spec = document.spec
    tables = {name: getattr(spec, name).model_dump(mode="json") for name in ("decode", "poses", "boxes")}
    for layer in layers:
        for name, table in layer.items():
            if name not in tables:
                raise InputError(f"[{name}] is no table of post-processing", file=document.path, row=place,
                                 remedy=f"one of {', '.join(tables)}")  # fmt: skip
            tables[name] = tables[name] | table
    try:
        found = parse(Setting, tables, document.path)
    except InputError as error:
        row = f"{place}.{error.row}" if error.row else place
        raise InputError(error.cause, file=document.path, row=row, remedy=error.remedy) from None
    if found.decode.flip_test and not spec.decode.flip_test:
        raise InputError("the document stores no mirrored maps", file=document.path, row=place,
                         remedy="set [decode] flip_test = true")  # fmt: skip
    told, wanted = spec.boxes, found.boxes
    others = (told.source, told.more) != (wanted.source, wanted.more) or wanted.min_score < told.min_score
    if others or ("fusion" in (told.nms, wanted.nms) and told.nms != wanted.nms):
        raise InputError("asks for boxes that are not stored", file=document.path, row=place,
                         remedy="change the document's own [boxes]")  # fmt: skip
    return found


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{inner}" for inner in value.values())
    return f"{value:g}" if isinstance(value, float) else str(value)
