"""Ways to choose members and weights on some people. All are deterministic; ties go to the earlier member."""

from __future__ import annotations

import itertools

import numpy as np

from kpkit.ensembles.objective import oks_value
from kpkit.ensembles.tried import TriedWeights, normal

EQUAL, MEMBER, GREEDY, CONTINUOUS, KEYPOINT = METHODS = (
    "equal",
    "best member",
    "greedy",
    "continuous",
    "per keypoint",
)
"""From no choice at all to the freest one."""

_STEPS = (2.0, 2**0.5, 2**0.25)
_MOVES = 12
_SWEEPS = 4
_LEAST = 1e-6  # a smaller gain in value is rounding


def fit_all(tried: TriedWeights, rows: np.ndarray, rounds: int) -> dict[str, np.ndarray]:
    """Every method's weights, chosen on some people.

    Args:
        tried: the people.
        rows: indices of those to choose on.
        rounds: of the greedy selection.

    Returns:
        METHODS -> (K, M) float64 weights, 0 or more, each keypoint's of sum 1.
    """
    members, keypoints = tried.members, tried.labelled.shape[1]
    pool = _designed(members)
    alone = list(np.eye(members))
    best = alone[_best(tried, alone, rows)]
    chosen, seen = greedy(tried, rows, rounds)
    pool += seen
    refined, seen = continuous(tried, rows, chosen)
    pool += seen
    single = {EQUAL: np.ones(members), MEMBER: best, GREEDY: chosen, CONTINUOUS: refined}
    fitted = {name: np.tile(normal(weights), (keypoints, 1)) for name, weights in single.items()}
    fitted[KEYPOINT] = per_keypoint(tried, rows, refined, pool)
    return fitted


def greedy(tried: TriedWeights, rows: np.ndarray, rounds: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Selection with replacement (Caruana et al. 2004): add the member that helps the blend most, again.

    Returns:
        (M,) how often each member was taken when the blend was best (the earliest such round), and all
        weights tried.
    """
    counts = np.zeros(tried.members)
    best, best_value, seen = counts, -1.0, []
    for _ in range(rounds):
        candidates = list(counts + np.eye(tried.members))
        seen += candidates
        values = _means(tried, candidates, rows)
        counts = candidates[int(values.argmax())]
        if values.max() > best_value + _LEAST:
            best, best_value = counts, float(values.max())
    return best, seen


def continuous(
    tried: TriedWeights, rows: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Compass search over the members' weights, from the better of equal weights and ``start``.

    Each move multiplies or divides one weight by a step, or takes it to 0 or (where it was 0) to the mean of
    the others; the best move is made while it helps, then the step shrinks: 2, 2^(1/2), 2^(1/4). No
    derivative is asked of a decoded maximum, which has none where another peak wins, and all moves of a
    round are decoded together.

    Returns:
        (M,) weights, and all weights tried.
    """
    starts = [np.ones(tried.members), np.asarray(start, np.float64)]
    values = _means(tried, starts, rows)
    weights, value = starts[int(values.argmax())], float(values.max())
    seen = list(starts)
    for step in _STEPS:
        for _ in range(_MOVES):
            candidates = _neighbours(weights, step)
            seen += candidates
            values = _means(tried, candidates, rows)
            if values.max() <= value + _LEAST:
                break
            weights, value = candidates[int(values.argmax())], float(values.max())
    return weights, seen


def per_keypoint(
    tried: TriedWeights, rows: np.ndarray, start: np.ndarray, pool: list[np.ndarray]
) -> np.ndarray:
    """For every keypoint the best of the weights already tried: coordinate ascent over the keypoints.

    A person's value hangs on all its keypoints together, so each is chosen beside the present choice for the
    others, in sweeps until none moves.

    Returns:
        (K, M) weights, each keypoint's of sum 1.
    """
    unique = {normal(weights).tobytes(): normal(weights) for weights in [start, *pool]}
    candidates = list(unique.values())  # the start is the first
    labelled = tried.labelled[rows]
    number, keypoints = labelled.sum(axis=1), labelled.shape[1]
    # (K, C, n): what every candidate adds to a person's OKS by one keypoint
    share = np.ascontiguousarray(tried.closeness(candidates)[:, rows].transpose(2, 0, 1))
    share *= (labelled / number[:, None]).T[:, None]
    choice = np.zeros(keypoints, np.int64)
    oks = share[:, 0].sum(axis=0, dtype=np.float64)
    for _ in range(_SWEEPS):
        before = choice.copy()
        for k in range(keypoints):
            others = oks - share[k, choice[k]]
            values = oks_value(others + share[k]).mean(axis=1)
            best = int(values.argmax())
            if values[best] > values[choice[k]] + _LEAST:
                choice[k], oks = best, others + share[k, best]
        if (choice == before).all():
            break
    return np.stack([candidates[place] for place in choice])


def _designed(members: int) -> list[np.ndarray]:
    """Weights tried whatever the data say: single members, all but one, pairs evenly and two to one."""
    eye = np.eye(members)
    pairs = itertools.permutations(range(members), 2)
    found = [*eye, np.ones(members)]
    if members > 2:
        found += [1 - row for row in eye]
    for a, b in pairs:
        found.append(2 * eye[a] + eye[b])
        if a < b:
            found.append(eye[a] + eye[b])
    return found


def _neighbours(weights: np.ndarray, step: float) -> list[np.ndarray]:
    found = []
    for m, weight in enumerate(weights):
        others = np.delete(weights, m)
        back = others[others > 0].mean() if (others > 0).any() else 1.0
        wanted = (weight * step, weight / step, 0.0) if weight > 0 else (back,)
        for value in wanted:
            moved = weights.copy()
            moved[m] = value
            if moved.any():
                found.append(moved)
    return found


def _means(tried: TriedWeights, weights: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    means: np.ndarray = tried.values(weights)[:, rows].mean(axis=1)
    return means


def _best(tried: TriedWeights, weights: list[np.ndarray], rows: np.ndarray) -> int:
    return int(_means(tried, weights, rows).argmax())
