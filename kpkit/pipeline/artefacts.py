"""Artefacts: folders named by what they were made from, complete when they have their name."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.files import canonical, file_hash, locked, publish_folder, read_json, text_hash, write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artefact:
    """The identity of one result.

    Attributes:
        kind: the folder its like lie in: ``recipes``, ``hard_negatives``, ``ensembles``, ...
        name: the document's, with the split where one document has several results.
        resolved: everything that shapes the result (the document's tables).
        inputs: role -> SHA-256 of an input file, or key of an artefact.
        runs: the folder of all artefacts.
    """

    kind: str
    name: str
    resolved: dict[str, Any]
    inputs: dict[str, str]
    runs: Path
    format: int = 1  # raised when the code of a kind changes what it makes

    @property
    def key(self) -> str:
        """SHA-256 over kind, document and inputs."""
        return text_hash(canonical([self.kind, self.format, self.resolved, self.inputs]))

    @property
    def folder(self) -> Path:
        """``runs/<kind>/<name>-<hash8>``."""
        return self.runs / self.kind / f"{self.name}-{self.key[:8]}"

    @property
    def work(self) -> Path:
        """Where it is made, until it is complete."""
        return self.folder.with_name(f".{self.folder.name}.work")

    @property
    def done(self) -> bool:
        """Whether the finished folder is there."""
        return (self.folder / MANIFEST).is_file()

    @contextlib.contextmanager
    def working(self) -> Iterator[Path]:
        """The work folder, held against other processes; leftovers of a killed write are removed."""
        self.work.parent.mkdir(parents=True, exist_ok=True)
        busy = f"{self.folder.name} is being made by another process"
        with locked(self.runs / ".locks" / f"{self.kind}-{self.folder.name}", wait=60, busy=busy):
            self.work.mkdir(exist_ok=True)
            for leftover in self.work.rglob(".*.tmp"):
                leftover.unlink(missing_ok=True)
            try:
                yield self.work
            finally:
                with contextlib.suppress(OSError):  # a job refused at once leaves nothing worth resuming
                    self.work.rmdir()

    def publish(self, metrics: dict[str, Any], seconds: float, seed: int | None = None) -> None:
        """Write the manifest into the work folder and give the folder its final name."""
        for scratch in ("progress.json", "parts", "checkpoints"):
            path = self.work / scratch
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        files = {
            path.relative_to(self.work).as_posix(): {"sha256": file_hash(path), "bytes": path.stat().st_size}
            for path in sorted(self.work.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        }
        manifest = {
            "kind": self.kind,
            "name": self.name,
            "key": self.key,
            "content": content_hash(files),
            "document": self.resolved,
            "inputs": self.inputs,
            "seed": seed,
            "metrics": metrics,
            "timings": {"seconds": round(seconds, 3), "finished": _utc_now()},
            "versions": versions(),
            "files": files,
        }
        write_json(self.work / MANIFEST, manifest)
        publish_folder(self.work, self.folder)


@dataclass(frozen=True)
class Finished:
    """A finished artefact read back."""

    folder: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def metrics(self) -> dict[str, Any]:
        """What the manifest recorded."""
        return dict(self.manifest["metrics"])


def read_artefact(folder: Path) -> Finished:
    """Read a finished folder's manifest; raises InputError where it is none."""
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not {"kind", "name", "key", "files"} <= set(manifest):
        raise InputError("not an artefact's manifest", file=folder / MANIFEST)
    return Finished(folder, manifest)


def damaged_files(folder: Path) -> list[str]:
    """Names of files that are missing or differ from the manifest (promise P2), hashing each anew."""
    manifest = read_artefact(folder).manifest
    return [
        name
        for name, facts in manifest["files"].items()
        if not (folder / name).is_file() or file_hash(folder / name) != facts["sha256"]
    ]


def content_hash(files: dict[str, dict[str, Any]]) -> str:
    """One hash over names and contents: equal for two runs that made the same thing."""
    return text_hash(canonical({name: facts["sha256"] for name, facts in files.items()}))


def all_artefacts(runs: Path) -> list[Finished]:
    """Every finished artefact under a runs folder, by kind and name."""
    return [read_artefact(path.parent) for path in sorted(runs.glob(f"*/[!.]*/{MANIFEST}"))]


def versions() -> dict[str, str]:
    """Releases that can change a result."""
    found = {"python": platform.python_version()}
    for package in ("kpkit", "torch", "numpy", "opencv-python-headless", "pycocotools", "ray", "numba"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
