"""Tables as TOML text: what the standard library reads and does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(tables: Mapping[str, Any]) -> str:
    """A document's tables as lines of TOML.

    Args:
        tables: names to strings, numbers, booleans, lists and tables of these. Lists of tables become
            ``[[name]]`` blocks, tables ``[name]`` blocks, whatever is deeper stands inline.
    """
    plain = {key: value for key, value in tables.items() if not _is_block(value)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in tables.items():
        if not _is_block(value):
            continue
        head = f"[[{_key(key)}]]" if isinstance(value, list | tuple) else f"[{_key(key)}]"
        for table in value if isinstance(value, list | tuple) else [value]:
            lines += ["", head, *(f"{_key(name)} = {_value(inner)}" for name, inner in table.items())]
    return "\n".join(lines) + "\n"


def _is_block(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(row, Mapping) for row in value)
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_value(row)}" for name, row in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(row) for row in value)}]"
    # strings, numbers and booleans are written alike in JSON, but for a character that TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
