"""What every document table shares: frozen, unknown keys refused with the nearest known name."""

from __future__ import annotations

import difflib
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
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise _explain(model, first, file, more=error.error_count() - 1) from None


def _explain(model: type[BaseModel], fault: Any, file: str | Path, more: int) -> InputError:
    path = [part for part in fault["loc"] if not _is_union_tag(part)]
    key = ".".join(str(part) for part in path)
    rest = f" (and {more} more)" if more else ""
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return InputError(f"unknown key{rest}", file=file, row=key, remedy=did_you_mean(str(path[-1]), known))
    if fault["type"] == "missing":
        return InputError(f"required key is missing{rest}", file=file, row=key, remedy="add it")
    message = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    shown = repr(value) if len(repr(value)) < 80 else repr(value)[:77] + "..."
    return InputError(f"value {shown} is not allowed{rest}", file=file, row=key, remedy=message)


def did_you_mean(name: str, known: typing.Iterable[str]) -> str:
    """``did you mean 'x'?`` when a known name is near, and the known names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


def _is_union_tag(part: object) -> bool:
    # pydantic adds the tried type's name to the location of a fault inside a union
    return isinstance(part, str) and ((part[:1].isupper() and part.endswith("Spec")) or "[" in part)


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
