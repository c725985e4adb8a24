"""What every document table shares: frozen, unknown keys refused with the nearest known name."""

from __future__ import annotations

import difflib
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kpkit.core.errors import InputError


class Spec(BaseModel):
    """A table of a document. Immutable; keys and values are checked on construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class About(Spec):
    """Where a document's numbers come from. For people; not part of the artefact's hash."""

    source: str = ""
    published_ap: float | None = None
    published_on: str = ""
    cost: str = ""
    command: str = ""


SpecT = TypeVar("SpecT", bound=Spec)


def parse(model: type[SpecT], data: dict[str, Any], file: str | Path) -> SpecT:
    """Validate a document's tables.

    Raises:
        InputError: file, key, the value found and what is allowed, for the first fault.
    """
    # by way of JSON, because only there strict means what a document's writer means: an array may fill a
    # tuple, but "32" and true are no numbers
    text = json.dumps(data, default=str)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _explain(model, error.errors(), file) from None


def _explain(model: type[BaseModel], faults: list[Any], file: str | Path) -> InputError:
    """The sentence for the first faulty key; the others are counted."""
    # a default that hangs on a faulty key is no fault of its own
    faults = [fault for fault in faults if fault["type"] != "default_factory_not_called"]
    first = faults[0]
    path = _place(first)
    # a value that fits none of several allowed types is told once, with all that is allowed
    same = [fault for fault in faults if _place(fault) == path]
    others = len(faults) - len(same)
    rest = f" (and {others} more)" if others else ""
    key = ".".join(str(part) for part in path) or None
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return InputError(f"unknown key{rest}", file=file, row=key, remedy=did_you_mean(str(path[-1]), known))
    if first["type"] == "missing" and not isinstance(path[-1], int):
        return InputError(f"required key is missing{rest}", file=file, row=key, remedy="add it")
    allowed, *more = (fault["msg"].removeprefix("Value error, ") for fault in same)
    allowed = " or ".join([allowed, *(message.removeprefix("Input should be ") for message in more)])
    value = first["input"]
    if isinstance(value, dict):  # keys of a table that do not go together: the message names them
        return InputError(f"{allowed}{rest}", file=file, row=key)
    shown = repr(value) if len(repr(value)) < 80 else repr(value)[:77] + "..."
    return InputError(f"value {shown} is not allowed{rest}", file=file, row=key, remedy=allowed)


def _place(fault: Any) -> list[Any]:
    """Where the fault is. pydantic adds the tried type's name where one of several types is allowed."""
    *path, last = fault["loc"] or [None]
    named = fault["type"] in ("extra_forbidden", "missing")
    if last is None or (not named and (last == "constrained-float" or str(last).startswith("literal["))):
        return path
    return [*path, last]


def did_you_mean(name: str, known: typing.Iterable[str]) -> str:
    """``did you mean 'x'?`` when a known name is near, and the known names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


def _known_keys(model: type[BaseModel], path: list[Any]) -> list[str]:
    """Field names of the table at ``path`` inside ``model``."""
    current: type[BaseModel] = model
    for part in path:
        field = current.model_fields.get(str(part))
        nested = _nested_model(field.annotation) if field else None
        if nested is None:
            continue  # an index into a list or a free name in a mapping of tables
        current = nested
    return [field.alias or name for name, field in current.model_fields.items()]


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, list, dict, typing.Annotated):
        for argument in typing.get_args(annotation):
            if (found := _nested_model(argument)) is not None:
                return found
    return None
