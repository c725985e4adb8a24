"""The label set that CVAT needs before it takes skeletons: names, attributes and a drawing of the skeleton.

CVAT imports annotations of known labels only, and an attribute only where its label declares it. The raw form
is pasted into the label constructor (Raw) of a new task; the same drawing stands in the XML's meta data.
https://docs.cvat.ai/docs/manual/advanced/skeletons
"""

from __future__ import annotations

from typing import Any

from kpkit.core.skeletons import Skeleton

PERSON, BOX, CROWD = "person", "person_box", "crowd"
"""Label of a skeleton, of a person's rectangle, of a region of people nobody told apart."""
ATTRIBUTES = ("id", "score", "source", "area_of_box", "keypoints")
"""Text attributes of all three: what Instances know and CVAT has no place for."""

_LEFT = {
    "eye": (47, 8), "ear": (44, 11), "shoulder": (38, 24), "elbow": (32, 37), "wrist": (28, 50),
    "hip": (42, 52), "knee": (41, 72), "ankle": (40, 93),
}  # fmt: skip
_MIDDLE = {"nose": (50, 11), "head_top": (50, 3), "neck": (50, 19)}


def place(keypoint: str) -> tuple[float, float]:
    """Where a keypoint stands in the drawing: x, y in per cent of it, a person seen from the front."""
    if keypoint in _MIDDLE:
        return _MIDDLE[keypoint]
    side, _, part = keypoint.partition("_")
    x, y = _LEFT[part]
    return (100 - x, y) if side == "left" else (x, y)


def svg(skeleton: Skeleton) -> str:
    """The drawing: an edge per limb, a node per keypoint; nodes count from 1."""
    at = [place(name) for name in skeleton.keypoints]
    edges = [
        f'<line x1="{at[a][0]}" y1="{at[a][1]}" x2="{at[b][0]}" y2="{at[b][1]}" stroke="black" '
        f'stroke-width="0.5" data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in skeleton.limb_indices
    ]
    nodes = [
        f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{x}" cy="{y}" stroke-width="0.1" data-type='
        f'"element node" data-element-id="{k}" data-node-id="{k}" data-label-name="{name}"></circle>'
        for k, (name, (x, y)) in enumerate(zip(skeleton.keypoints, at, strict=True), start=1)
    ]
    return "".join([*edges, *nodes])


def raw_labels(skeleton: Skeleton) -> list[dict[str, Any]]:
    """The label set for the constructor's Raw view."""
    attributes = [
        {"name": name, "input_type": "text", "mutable": False, "values": [""], "default_value": ""}
        for name in ATTRIBUTES
    ]
    points = [{"name": name, "type": "points", "attributes": []} for name in skeleton.keypoints]
    person = {"name": PERSON, "type": "skeleton", "attributes": attributes, "sublabels": points}
    boxes = [{"name": name, "type": "rectangle", "attributes": attributes} for name in (BOX, CROWD)]
    return [person | {"svg": svg(skeleton)}, *boxes]
