"""Progress from worker processes: a small file each, which the driver reads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from kpkit.core.errors import InputError
from kpkit.core.files import read_json


class FileProgress:
    """A Progress that leaves its newest report in a file, at most every half second."""

    def __init__(self, path: Path, every: float = 0.5) -> None:
        self.path, self.every, self.last = path, every, 0.0

    def __call__(self, done: int, total: int, unit: str = "", note: str = "") -> None:
        """Report; the last one (done == total) is always written."""
        now = time.monotonic()
        if done < total and now - self.last < self.every:
            return
        self.last = now
        # progress is a courtesy: no fsync, and a full disk must not end the job here
        with contextlib.suppress(OSError):
            temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
            temporary.write_text(json.dumps([done, total, unit, note]))
            os.replace(temporary, self.path)


def read_progress(path: Path) -> tuple[int, int, str, str] | None:
    """The newest report, or None."""
    try:
        done, total, unit, note = read_json(path)
        return int(done), int(total), str(unit), str(note)
    except (InputError, ValueError, TypeError, OSError):
        return None
