"""kpkit: a toolkit for COCO keypoint competitions.

Importing it costs nothing heavy; each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kpkit.core.instances import ImageTable, Instances
    from kpkit.evaluation.ap import evaluate
    from kpkit.heatmaps.decode import decode
    from kpkit.models.catalogue import create_model
    from kpkit.models.weights import load_weights
    from kpkit.submissions.validate import check_submission

_HOMES = {
    "Instances": "kpkit.core.instances",
    "ImageTable": "kpkit.core.instances",
    "evaluate": "kpkit.evaluation.ap",
    "decode": "kpkit.heatmaps.decode",
    "create_model": "kpkit.models.catalogue",
    "load_weights": "kpkit.models.weights",
    "check_submission": "kpkit.submissions.validate",
}

__all__ = [
    "ImageTable",
    "Instances",
    "check_submission",
    "create_model",
    "decode",
    "evaluate",
    "load_weights",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'kpkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
