"""Running kpkit as a user does, and looking at what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """``kpkit ARGUMENTS`` in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("KPKIT_DATA", None)
    return subprocess.Popen(
        [sys.executable, "-m", "kpkit.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """``kpkit ARGUMENTS``, finished."""
    process = start(*arguments)
    out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def contents(runs: Path) -> dict[str, str]:
    """``kind/folder`` -> content hash of every finished artefact."""
    found = {}
    for manifest in sorted(runs.glob("*/[!.]*/manifest.json")):
        found[f"{manifest.parent.parent.name}/{manifest.parent.name}"] = json.loads(manifest.read_text())[
            "content"
        ]
    return found


def leftovers(runs: Path) -> list[Path]:
    """Temporary files and unfinished work folders."""
    return [p for p in runs.rglob("*") if p.name.endswith((".tmp", ".work"))]
