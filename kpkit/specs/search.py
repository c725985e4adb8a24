"""Tables of an ensemble document that ask what its members and its post-processing are worth."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kpkit.specs.base import Spec


class StoreSpec(Spec):
    """``[heatmaps]``: how heatmaps are kept for search and ablation.

    Attributes:
        format: ``"u8"`` (8 bits and a scale per map, 16 bits near its top, compressed: 1/16 of
            float32 where maps are peaks on a quiet ground) or ``"f16"`` (1/2).
    """

    format: Literal["u8", "f16"] = "u8"


class SearchSpec(Spec):
    """``[search]``: how ``kpkit search`` chooses weights and judges the choice.

    Attributes:
        folds: of val's pictures; each is judged by weights chosen on the others.
        rounds: members the greedy selection adds.
        draws: of pictures, for the intervals.
        seed: deals the folds and draws.
    """

    folds: Annotated[int, Field(ge=3, le=20)] = 5
    rounds: Annotated[int, Field(ge=1, le=200)] = 16
    draws: Annotated[int, Field(ge=100, le=20000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0


class SweepSpec(Spec):
    """``[grid.sweeps.NAME]``: one key at several values, with every technique on.

    Attributes:
        like: the published table it is laid out as.
        key: a key of ``[decode]``, ``[poses]`` or ``[boxes]`` (``"decode.flip_shift"``), or one of these
            tables (``"poses"``).
        values: of the key; tables are laid over the document's.
    """

    like: str = ""
    key: Annotated[str, Field(pattern=r"^(decode|poses|boxes)(\.[a-z_]+)?$")]
    values: Annotated[tuple[Any, ...], Field(min_length=1)]


TECHNIQUES: dict[str, dict[str, Any]] = {
    "SOA": {"decode": {"refine": "parabola"}},
    "SSP": {"decode": {"flip_shift": "exact"}},
    "Soft-NMS": {"poses": {"nms": "fusion"}},
    "GF": {"decode": {"blur": 5}},
}
"""CCM's four, in the order of their worth there (its Table 7): second-order approximation of the maximum (eq.
13), sub-pixel shift of the flipped map (eq. 25), its Soft-NMS (eqs. 23, 24), Gaussian filter. The paper tells
no kernel; 5 is that of MSPN's code."""

PLAIN: dict[str, dict[str, Any]] = {
    "decode": {
        "flip_shift": 0.0,
        "blur": 0,
        "blur_sigma": 0.0,
        "refine": "argmax",
        "refine_blur": 0,
        "refine_blur_sigma": 0.0,
        "border": "zero",
    },
    "poses": {"nms": "hard", "scoring": "mean"},
}

SWEEPS: dict[str, dict[str, Any]] = {
    "flip shift": {
        "like": "CCM Table 8",
        "key": "decode.flip_shift",
        "values": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, "exact"],
    },
    "sub-pixel rule": {
        "key": "decode",
        "values": [
            {"refine": "argmax"},
            {"refine": "quarter"},
            {"refine": "quarter_second"},
            {"refine": "parabola"},
            {"refine": "paraboloid"},
            {"refine": "dark", "blur": 0, "refine_blur": 11},
            {"refine": "dark_udp", "blur": 0, "refine_blur": 11, "border": "reflect"},
        ],
    },
    "blur": {"key": "decode.blur", "values": [0, 3, 5, 7, 9, 11]},
    "box NMS": {
        "like": "CPN Table 1",
        "key": "boxes",
        "values": [
            {"nms": "none"},
            {"nms": "hard", "iou_nms": 0.3},
            {"nms": "hard", "iou_nms": 0.4},
            {"nms": "hard", "iou_nms": 0.5},
            {"nms": "hard", "iou_nms": 0.6},
            {"nms": "soft_linear", "iou_nms": 0.5},
            {"nms": "soft_gaussian", "iou_nms": 0.5},
        ],
    },
    "pose NMS": {
        "key": "poses",
        "values": [
            {"nms": "hard", "oks_nms": 1.0},
            {"nms": "hard", "oks_nms": 0.95},
            {"nms": "hard", "oks_nms": 0.9},
            {"nms": "hard", "oks_nms": 0.8},
            {"nms": "soft_linear", "oks_nms": 0.9},
            {"nms": "soft_gaussian", "oks_nms": 0.9},
            {"nms": "fusion", "oks_nms": 0.9},
        ],
    },
    "scoring": {
        "key": "poses",
        "values": [
            {"scoring": "mean", "score_floor": 0.0},
            {"scoring": "mean", "score_floor": 0.2},
            {"scoring": "learned"},
        ],
    },
}


class GridSpec(Spec):
    """``[grid]``: what ``kpkit ablate`` compares.

    A table given replaces the shipped one whole.

    Attributes:
        plain: tables laid over the document's: the setting without any technique.
        techniques: name -> tables; each is judged alone, left out, and together with all others.
        sweeps: name -> values of one key, with every technique on.
        draws, seed: of pictures, for the intervals.
    """

    plain: dict[str, dict[str, Any]] = PLAIN
    techniques: dict[str, dict[str, dict[str, Any]]] = TECHNIQUES
    sweeps: dict[str, SweepSpec] = Field(
        default_factory=lambda: {name: SweepSpec.model_validate(table) for name, table in SWEEPS.items()}
    )
    draws: Annotated[int, Field(ge=100, le=20000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
