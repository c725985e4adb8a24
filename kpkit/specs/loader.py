"""Documents on disk: found by name or path, `extends` followed, checked, named."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kpkit
from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.specs.base import Spec, did_you_mean, parse
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.pseudo_labels import PseudoLabelsSpec
from kpkit.specs.recipe import RecipeSpec
from kpkit.specs.study import StudySpec
from kpkit.specs.submission import SubmissionSpec

KINDS: dict[str, tuple[str, type[Spec]]] = {
    "recipe": ("recipes", RecipeSpec),
    "ensemble": ("ensembles", EnsembleSpec),
    "pseudo_labels": ("pseudo_labels", PseudoLabelsSpec),
    "submission": ("submissions", SubmissionSpec),
    "study": ("studies", StudySpec),
}
"""Document kind -> its folder and its model."""


@dataclass(frozen=True)
class Document:
    """A checked document: its name (the file's stem), where it was read, and its tables."""

    name: str
    kind: str
    path: Path
    spec: Any


def shipped_root() -> Path:
    """The folder that holds the document folders: inside an installed package, or the checkout."""
    package = Path(kpkit.__file__).resolve().parent
    inside = package / "documents"
    return inside if inside.is_dir() else package.parent


def load(name: str, kind: str | None = None, beside: Path | None = None) -> Document:
    """Read a document.

    Args:
        name: a path to a ``.toml`` file, or a bare name such as ``"tiny"``. A path into one of the
            document folders, such as ``"submissions/tiny.toml"``, also finds what came with kpkit.
        kind: the kind it must have; None takes any (a bare name is then looked for in all folders).
        beside: the document that names this one; its own folders are searched first.

    Raises:
        InputError: no such document, not TOML, wrong kind, unknown or wrong key.
    """
    path = _find(name, kind, beside)
    data = _resolved(path, seen=())
    found = data.get("kind")
    if not isinstance(found, str) or found not in KINDS:
        remedy = "one of " + ", ".join(KINDS)
        raise InputError(f"kind = {found!r} says no document kind", file=path, row="kind", remedy=remedy)
    if kind is not None and found != kind:
        raise InputError(f"the kind is {found}, a document of kind {kind} is wanted", file=path, row="kind")
    return Document(path.stem, found, path, parse(KINDS[found][1], data, path))


def varied(document: Document, name: str, tables: dict[str, Any], named_in: Path) -> Document:
    """A document with other tables laid over its own, under another name.

    What it names by path is still taken from its own place.

    Args:
        document: the original.
        name: the variant's.
        tables: merged as those of a document that extends the original are.
        named_in: the document that asks for it, whose ``overrides`` the tables are.

    Raises:
        InputError: the tables do not fit the document's kind.
    """
    given = document.spec.model_dump(mode="json", exclude_unset=True)
    try:
        spec = parse(KINDS[document.kind][1], _merge(given, tables), named_in)
    except InputError as error:
        row = f"overrides.{error.row}" if error.row else "overrides"
        raise InputError(error.cause, file=named_in, row=row, remedy=error.remedy) from None
    return Document(name, document.kind, document.path, spec)


def shipped() -> list[Path]:
    """Every document that comes with kpkit, bases left out."""
    root = shipped_root()
    return [p for folder, _ in KINDS.values() for p in sorted((root / folder).glob("*.toml"))]


def _find(name: str, kind: str | None, beside: Path | None) -> Path:
    if name.endswith(".toml") or "/" in name:
        path = Path(name)
        if beside is not None and not path.is_absolute():
            path = beside.parent / path
        if path.is_file():
            return path
        if beside is None and path.parts[0] in {folder for folder, _ in KINDS.values()}:
            # `submissions/tiny.toml` means the shipped one where the user has none of that name
            came_along = safe_join(shipped_root(), name)
            if came_along.is_file():
                return came_along
        raise InputError("no such document", file=path)
    folders = [folder for k, (folder, _) in KINDS.items() if kind in (None, k)]
    roots = [shipped_root()]
    if Path.cwd() != roots[0]:
        roots.insert(0, Path.cwd())
    candidates = [root / folder / f"{name}.toml" for root in roots for folder in folders]
    if beside is not None:
        own = [beside.parent.parent / folder / f"{name}.toml" for folder in folders]
        if kind is None or beside.parent.name not in {folder for folder, _ in KINDS.values()} - set(folders):
            own.insert(0, beside.with_name(f"{name}.toml"))  # not in the folder of another kind
        candidates = own + candidates
    hits = [path for path in dict.fromkeys(candidates) if path.is_file() and path != beside]
    if not hits:
        known = {p.stem for c in candidates for p in c.parent.glob("*.toml")}
        raise InputError(f"no {kind or 'document'} is called {name!r}", remedy=did_you_mean(name, known))
    if kind is None and len({p.parent.name for p in hits}) > 1:
        both = " and ".join(f"{p.parent.name}/{p.name}" for p in hits)
        raise InputError(f"{name!r} could be {both}", remedy="give the path")
    return hits[0]


def _resolved(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The document's tables laid over those of the documents it extends."""
    if path.resolve() in seen:
        raise InputError("documents extend each other in a circle", file=path, row="extends")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not valid TOML ({error})", file=path) from None
    bases = data.pop("extends", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise InputError("must be a name or a list of names", file=path, row="extends")
    merged: dict[str, Any] = {}
    for base in bases:
        base_path = _base_path(path, base)
        merged = _merge(merged, _resolved(base_path, (*seen, path.resolve())))
    merged.pop("about", None)  # says what is published of the other document
    return _merge(merged, data)


def _base_path(path: Path, base: str) -> Path:
    roots = [path.parent]
    folder = shipped_root() / path.parent.name
    if folder.is_dir():
        roots.append(folder)
    folders = [folder for folder, _ in KINDS.values()]
    roots += [root / folder for root in (path.parent.parent, shipped_root()) for folder in folders]
    candidates = [safe_join(root, f"{base}.toml") for root in roots]
    for candidate in candidates:
        if candidate.is_file() and candidate != path:
            return candidate
    raise InputError(f"extends {base!r}, which does not exist", file=path, row="extends",
                     remedy=f"looked at {candidates[0]}")  # fmt: skip


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merge key by key; everything else is replaced."""
    merged = dict(under)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            value = _merge(merged[key], value)
        merged[key] = value
    return merged
