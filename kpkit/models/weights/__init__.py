"""Weights on disk: kpkit's own, and other projects' under their names. Reading a file never runs its code."""

from __future__ import annotations

from kpkit.models.weights.load import load_weights, save_weights
from kpkit.models.weights.manifest import WeightsManifest, read_manifest

__all__ = ["WeightsManifest", "load_weights", "read_manifest", "save_weights"]
