"""Generators keyed by names and positions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from kpkit.core.seeds import generator


def test_equal_keys_equal_streams_in_any_process() -> None:
    here = generator(3, "epoch", 5, "row", 17).random(4)
    np.testing.assert_array_equal(here, generator(3, "epoch", 5, "row", 17).random(4))
    code = "from kpkit.core.seeds import generator; print(generator(3,'epoch',5,'row',17).random(4).tolist())"
    for hash_seed in ("0", "1"):
        output = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert output.strip() == str(here.tolist())


def test_any_other_key_gives_another_stream() -> None:
    keys = [
        (0,),
        (1,),
        (0, 0),
        (0, "a"),
        ("a", 0),
        (0, "b"),
        (0, "a", 1),
        (0, "a", 2),
        (0, "a", 1, 0),
        (2**31,),
    ]
    draws = {tuple(generator(*key).random(2)) for key in keys}
    assert len(draws) == len(keys)


def test_rows_look_independent() -> None:
    draws = np.array([generator(0, "row", row).random() for row in range(2000)])
    assert abs(draws.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.07


def test_ids_longer_than_32_bits_differ() -> None:
    assert generator(0, 2**32 + 5).random() != generator(0, 5).random()
