"""A node of the graph: one artefact, what makes it, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.job import ArtefactJob
from kpkit.specs.loader import Document

_NOT_HASHED = {"about", "kind", "datasets", "weights", "start", "heatmaps", "search", "grid"}
"""Tables that describe or locate (what they locate is hashed by content, with what is declared of it), and
those of search and ablation, which do not shape what an ensemble sees."""


@dataclass
class Node:
    """One artefact of the graph.

    Attributes:
        artefact: identity; its hash is meaningless while ``missing`` is not empty.
        job: makes it.
        needs: nodes that must be done first.
        document: where it comes from.
        missing: sentences on inputs that are not there, its own and its needs'.
    """

    artefact: Artefact
    job: ArtefactJob
    needs: list[Node]
    document: Document
    missing: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """``recipes/tiny_cpn``."""
        return f"{self.artefact.kind}/{self.artefact.name}"


def hashed_tables(spec: Any) -> dict[str, Any]:
    """The tables of a document that shape its result."""
    dumped: dict[str, Any] = spec.model_dump(mode="json")
    # came later: documents without them keep their names
    refinement = dumped.get("refinement")
    if refinement is None:
        dumped.pop("refinement", None)
    elif not refinement["ensemble"]:
        for key in ("ensemble", "folds", "boxes"):
            del refinement[key]
    if dumped.get("refine") == "none":
        dumped.pop("refined", None)
    return {key: value for key, value in dumped.items() if key not in _NOT_HASHED}


def needed_files(boxes: str) -> tuple[str, ...]:
    """What a data set must have besides its annotations, where boxes come from this source."""
    return ("detections",) if boxes == "detections" else ()


def keys(nodes: list[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.artefact.key for node in nodes))
