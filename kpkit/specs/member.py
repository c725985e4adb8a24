"""What ``[[members]]`` may say of a recipe beyond its name: weights by keypoint, test-time views."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator

from kpkit.core.skeletons import COCO17
from kpkit.specs.base import did_you_mean

_GROUPS = {
    "all": tuple(dict.fromkeys(name.split("_")[-1] for name in COCO17.keypoints)),
    "head": ("nose", "eye", "ear"),
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle"),
}


def _names(keypoint: str) -> list[str]:
    """Names a table may give a keypoint, nearest first: ``left_knee``, ``knee``, ``legs``, ``all``."""
    joint = keypoint.split("_")[-1]
    groups = [group for group in ("head", "arms", "legs", "all") if joint in _GROUPS[group]]
    return list(dict.fromkeys([keypoint, joint, *groups]))


def _weight(value: Any) -> float | dict[str, float]:
    if _is_number(value) and value > 0:
        return float(value)
    if not isinstance(value, dict) or not all(_is_number(w) and w >= 0 for w in value.values()):
        raise ValueError("a number above 0, or a table of numbers of 0 and more by keypoint")
    known = {name for keypoint in COCO17.keypoints for name in _names(keypoint)}
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise ValueError(f"{unknown!r} is no keypoint of {COCO17.name}; {did_you_mean(unknown, known)}")
    if not any(keypoint_weights(value)):
        raise ValueError("a member that adds to no keypoint; leave it out")
    return {name: float(weight) for name, weight in value.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


Weight = Annotated[float | dict[str, float], PlainValidator(_weight)]
"""A member's weight, or a table of weights: ``{ wrist = 2.0, legs = 0.5 }``."""


def keypoint_weights(weight: float | Mapping[str, float]) -> tuple[float, ...]:
    """A member's weight for each of COCO's 17 keypoints.

    Args:
        weight: one number for all, or a table by keypoint (``left_knee``), pair of keypoints (``knee``), part
            of the body (``head``, ``arms``, ``legs``) or ``all``. The nearest name counts, whatever the order
            of the table; what it does not name weighs 1.
    """
    table = {"all": weight} if isinstance(weight, (int, float)) else weight
    return tuple(
        next((float(table[name]) for name in _names(keypoint) if name in table), 1.0)
        for keypoint in COCO17.keypoints
    )


def _distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse a view that is listed twice."""
    if len(set(values)) != len(values):
        raise ValueError("each value once: the views of a member share its weight equally")
    return values


Scales = Annotated[
    tuple[Annotated[float, Field(ge=0.5, le=2)], ...], Field(min_length=1), AfterValidator(_distinct)
]
Rotations = Annotated[
    tuple[Annotated[float, Field(ge=-180, le=180)], ...], Field(min_length=1), AfterValidator(_distinct)
]
