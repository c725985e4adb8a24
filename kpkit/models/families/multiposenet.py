"""MultiPoseNet: its pose residual network."""

from __future__ import annotations

from kpkit.models.entries import Entry

PRN = "kpkit.models.prn:PRN"

COMPANIONS = (
    Entry(
        name="prn_1024",
        family="MultiPoseNet",
        backbone="dense",
        builder=PRN,
        input_shape=(56, 36, 17),
    ),
    Entry(
        name="prn_1024_bneck",
        family="MultiPoseNet",
        backbone="dense",
        builder=PRN,
        options={"bottleneck": True},
        input_shape=(56, 36, 17),
    ),
)
