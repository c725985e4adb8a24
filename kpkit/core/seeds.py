"""Randomness that depends on names and positions only, never on how far a process has run."""

from __future__ import annotations

import hashlib

import numpy as np

_FACTORS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def generator(*parts: int | str) -> np.random.Generator:
    """A generator keyed by its arguments, such as ``generator(seed, "epoch", 3, "row", 17)``.

    Equal arguments give equal streams in any process and order, which is what makes an interrupted run
    resume bit for bit without saving generator states. Unequal arguments give unrelated streams, whatever
    their number, size or type (image ids of AI Challenger have 60 bits).
    """
    text = repr([part if isinstance(part, str) else int(part) for part in parts])
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def mixed(words: np.ndarray) -> np.ndarray:
    """uint64 words, each turned into another that looks drawn at random (the last steps of splitmix64)."""
    add, first, second = (np.uint64(factor) for factor in _FACTORS)
    words = words + add
    words = (words ^ (words >> np.uint64(30))) * first
    words = (words ^ (words >> np.uint64(27))) * second
    found: np.ndarray = words ^ (words >> np.uint64(31))
    return found
