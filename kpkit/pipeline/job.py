"""What every artefact's job shares: its identity, its work folder, its publication."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpkit.cluster.jobs import Resources
from kpkit.core.files import write_json
from kpkit.core.progress import Progress
from kpkit.pipeline.artefacts import Artefact


@dataclass
class ArtefactJob:
    """Makes one artefact. Subclasses fill in ``make`` and, where the work can be split, the parts.

    Jobs travel between processes: their fields are documents and paths, never arrays or networks.
    """

    artefact: Artefact
    needs: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)

    @property
    def key(self) -> str:
        """The artefact's."""
        return self.artefact.key

    @property
    def title(self) -> str:
        """``recipes/tiny_cpn``."""
        return f"{self.artefact.kind}/{self.artefact.name}"

    def prepare(self, progress: Progress) -> Sequence[int]:
        """Most jobs have no parts."""
        return ()

    def open(self) -> Any:
        """Nothing is shared between parts."""
        return None

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Only called for the parts ``prepare`` names."""
        raise AssertionError(f"{self.title} has no part {part}")

    def finish(self, progress: Progress) -> None:
        """Make what is missing and publish."""
        if self.artefact.done:
            return
        start = time.monotonic()
        with self.artefact.working() as work:
            metrics = self.make(work, progress)
            write_json(work / "document.json", self.artefact.resolved)
            self.artefact.publish(metrics, self.spent(time.monotonic() - start), self.seed)

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Write the result's files into ``work``; returns what the manifest should tell."""
        raise NotImplementedError

    def spent(self, finishing: float) -> float:
        """Seconds of work in all, given those of ``make``."""
        return finishing

    @property
    def seed(self) -> int | None:
        """The seed the result depends on, where it depends on one."""
        return None
