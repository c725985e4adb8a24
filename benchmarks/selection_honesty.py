"""Does a search for weights report gains that are not there?

Eight members that are equally good, plus noise: nothing can be gained by weights, so the 95 % interval of
the reported gain (held-out folds, paired bootstrap over pictures) must hold 0. Drawn 200 times; also how
often each method's own interval lies above 0 (a gain is claimed that is not there) or below it (a loss told).

What is simulated: each member sees each keypoint of each person beside its place, by a part that all members
share and a part of its own, larger for hard people. A blend's point is the weighted mean of its members' (to
first order what decoding the mean of like maps gives). Everything after that is kpkit's own code: nested
folds, every method, the rule, poses judged by AP with false detections among them, the bootstrap.

    python benchmarks/selection_honesty.py [--draws 200] [--people 300] [--seed 0]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.seeds import generator
from kpkit.core.skeletons import COCO17
from kpkit.ensembles.choice import SEARCHED, search
from kpkit.ensembles.fits import CONTINUOUS, EQUAL, GREEDY, KEYPOINT
from kpkit.ensembles.folds import image_folds
from kpkit.ensembles.judged import Gain, Judged
from kpkit.ensembles.tried import TriedWeights

MEMBERS, FOLDS, ROUNDS, BOOTSTRAPS = 8, 5, 8, 200
TOLD = (GREEDY, CONTINUOUS, KEYPOINT, SEARCHED)
_PIXELS = 2 * np.array(COCO17.oks_sigmas)  # of one OKS unit, for a person of area 1


@dataclass(frozen=True)
class Drawn:
    """People, and how far each member is beside their keypoints."""

    truth: Instances
    images: ImageTable
    errors: np.ndarray  # (P, K, M, 2) in OKS units: closeness is exp(-d^2 / 2)
    score: np.ndarray
    false: Instances

    @classmethod
    def of(cls, seed: int, people: int, skill: np.ndarray) -> Drawn:
        """``skill`` (M,): factors on the members' own errors."""
        rng = generator(seed, "honesty")
        pictures, keypoints = people // 2, len(COCO17)
        image = np.sort(rng.integers(1, pictures + 1, people))
        area = rng.uniform(40, 200, people) ** 2
        points = rng.uniform(0, 1000, (people, 1, 2)) + rng.normal(0, 0.2, (people, keypoints, 2)) * np.sqrt(
            area
        ).reshape(-1, 1, 1)
        seen = rng.random((people, keypoints)) < 0.7
        seen[:, 0] = True
        labels = np.concatenate([points, 2.0 * seen[:, :, None]], axis=2)
        side = np.sqrt(area)
        box = np.stack([points[:, 0, 0], points[:, 0, 1], side, side], axis=1)
        truth = Instances.of(image, box, labels, area=area, id=np.arange(1, people + 1))
        hard = 0.7 * np.exp(rng.normal(0, 0.7, people))
        common = rng.normal(size=(people, keypoints, 1, 2))
        own = rng.normal(size=(people, keypoints, MEMBERS, 2)) * skill[:, None]
        errors = hard[:, None, None, None] * (common + own) * np.sqrt(0.5)
        score = rng.uniform(0.3, 1, people) / (1 + hard)
        nobody = people // 2
        elsewhere = rng.uniform(2000, 3000, (nobody, keypoints, 2))
        false = Instances.of(
            rng.integers(1, pictures + 1, nobody),
            np.tile([2000.0, 2000, 1000, 1000], (nobody, 1)),
            np.concatenate([elsewhere, np.ones((nobody, keypoints, 1))], axis=2),
            score=rng.uniform(0, 0.4, nobody),
        )
        ids = np.arange(1, pictures + 1)
        size = np.full(pictures, 1000)
        table = ImageTable(ids, tuple(f"{i}.jpg" for i in ids), size, size)
        return cls(truth, table, errors, score, false)

    def look(self, weights: np.ndarray) -> np.ndarray:
        """Closeness under (C, M) weights."""
        people, keypoints = self.errors.shape[:2]
        apart = np.matmul(weights, self.errors.reshape(-1, MEMBERS, 2))  # (P K, C, 2)
        closeness = np.exp(-(apart**2).sum(axis=-1) / 2)
        return closeness.T.reshape(len(weights), people, keypoints)

    def poses(self, weights: np.ndarray) -> Instances:
        """What (P, K, M) weights see, and the false detections."""
        shift = np.einsum("pkm,pkmx->pkx", weights, self.errors)
        points = self.truth.keypoints.copy()
        points[:, :, :2] += shift * _PIXELS[:, None] * np.sqrt(self.truth.area)[:, None, None]
        points[:, :, 2] = 1
        return Instances.concat([self.truth.with_(keypoints=points, score=self.score), self.false])


def one_draw(seed: int, people: int, skill: np.ndarray) -> tuple[dict[str, Gain], str]:
    """The reported gains (value, low, high in AP, 0..1) of one draw, and the method the rule took."""
    drawn = Drawn.of(seed, people, skill)
    image_id = drawn.truth.image_id
    dealt = image_folds(drawn.images.id, FOLDS, seed)
    fold = np.array([dealt[i] for i in image_id.tolist()])
    tried = TriedWeights(drawn.look, drawn.truth.keypoints[:, :, 2] > 0, MEMBERS)
    per_fold, whole = search(tried, fold, image_id, ROUNDS)
    sets = {name: np.stack([choice.weights[name] for choice in per_fold]) for name in (EQUAL, *TOLD)}
    # the rule takes a method's weights or equal ones: the same poses are judged once
    twin = next(name for name in sets if (sets[name] == sets[SEARCHED]).all())
    used = dict.fromkeys([EQUAL, *TOLD[:-1], twin])
    told = Judged(
        drawn.truth,
        drawn.images,
        ((name, drawn.poses(sets[name][fold])) for name in used),
        draws=BOOTSTRAPS,
        seed=seed,
    )
    return {name: told.gain(twin if name == SEARCHED else name, EQUAL) for name in TOLD}, whole.method


def main() -> None:
    """Print a row per method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start = time.process_time()
    for title, skill in (
        ("8 equal members", np.ones(MEMBERS)),
        ("2 of 8 members twice as far off", np.repeat([1.0, 2.0], [6, 2])),
    ):
        draws = asked.draws if title.startswith("8 equal") else max(asked.draws // 10, 1)
        gains: dict[str, list[list[float | None]]] = {name: [] for name in TOLD}
        took: Counter[str] = Counter()
        for draw in range(draws):
            told, method = one_draw(asked.seed + draw, asked.people, skill)
            took[method] += 1
            for name, gain in told.items():
                gains[name].append([gain["value"], gain["low"], gain["high"]])
        print(f"{title}: {draws} draws of {asked.people} people")
        for name, rows in gains.items():
            value, low, high = 100 * np.array(rows, np.float64).T
            inside = (low <= 0) & (high >= 0)
            print(
                f"  {name:<13} mean gain {value.mean():+.3f} AP; interval holds 0 in {inside.mean():6.1%}, "
                f"lies above in {(low > 0).mean():6.1%}, below in {(high < 0).mean():6.1%}"
            )
        print(f"  the rule took: {dict(took.most_common())}")
    print(f"{time.process_time() - start:.0f} s of one core")


if __name__ == "__main__":
    main()
