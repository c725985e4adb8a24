"""Folds of pictures: what is chosen on some pictures is judged on others."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.seeds import generator


def image_folds(image_id: np.ndarray, folds: int, seed: int = 0) -> dict[int, int]:
    """Deal pictures into folds of equal size (within one picture), all people of a picture into one.

    Args:
        image_id: ids of the pictures, repeats allowed.
        folds: 2 or more.
        seed: which deal.

    Returns:
        image id -> fold, 0 to ``folds - 1``.

    Raises:
        KpkitError: fewer than two pictures per fold.
    """
    ids = np.unique(image_id)
    if len(ids) < 2 * folds:
        raise KpkitError(
            f"{len(ids)} pictures are too few for {folds} folds of two or more; lower folds in [search], "
            "or search on a larger data set"
        )
    dealt = generator(seed, "folds", folds).permutation(len(ids)) % folds
    return dict(zip(ids.tolist(), dealt.tolist(), strict=True))
