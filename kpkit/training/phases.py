"""Which rows a training step shows: phases over sources, as a pure function of the step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.seeds import generator
from kpkit.specs.recipe import TrainingSpec


@dataclass(frozen=True)
class Step:
    """One training step: the rows it shows (source-major numbering) and where it stands."""

    rows: np.ndarray
    phase: int
    epoch: int  # over all phases
    first_of_epoch: bool
    last_of_epoch: bool


class PhasePlan:
    """The order of all rows over the whole run.

    The sources are numbered one after the other in the order of ``counts``. An epoch of a phase shows every
    row of C once (of the phase's first source where it lacks C) and of each other source its ratio times as
    many, drawn without repetition until the source is used up; what is left after the last whole batch is not
    shown. A phase given in steps ends within an epoch where they are used up. Rows are shuffled anew each
    epoch from the seed and the epoch alone, so any step can be found without the ones before it: resuming
    needs a number.

    Args:
        training: phases, epochs or steps, batch size, step limit, seed.
        counts: rows per source letter.
        ratios: samples per sample of C, by letter; sources without one are shown whole.
    """

    def __init__(
        self, training: TrainingSpec, counts: Mapping[str, int], ratios: Mapping[str, float]
    ) -> None:
        self.seed, self.batch = training.seed, training.batch_size
        self.counts, self.ratios = dict(counts), dict(ratios)
        starts = np.cumsum([0, *self.counts.values()])
        self.start = dict(zip(self.counts, starts.tolist(), strict=False))
        self.epochs: list[tuple[int, str]] = []  # (phase number, letters) of every epoch
        steps: list[int] = []  # of every epoch
        for number, letters in enumerate(training.phases):
            for letter in letters:
                if not self.counts.get(letter):
                    raise KpkitError(
                        f"phase {letters!r} shows source {letter}, which holds no one; leave {letter} out of "
                        f"training.phases, or change what data.{letter} names"
                    )
            epoch = max(1, self._samples(letters) // self.batch)
            given = training.steps[number] if training.steps else epoch * training.epochs[number]
            lengths = [min(epoch, given - begun) for begun in range(0, given, epoch)]
            self.epochs += [(number, letters)] * len(lengths)
            steps += lengths
        self.ends = np.cumsum(steps)
        limit = training.max_steps
        self.total_steps = int(self.ends[-1] if limit is None else min(limit, self.ends[-1]))
        self._order: tuple[int, np.ndarray] | None = None

    def _share(self, letters: str, letter: str) -> int:
        """Samples of a source in one epoch of a phase."""
        anchor = "C" if "C" in letters else letters[0]
        if letter == anchor or letter not in self.ratios:
            return self.counts[letter]
        return max(1, round(self.ratios[letter] * self.counts[anchor]))

    def _samples(self, letters: str) -> int:
        return sum(self._share(letters, letter) for letter in letters)

    def _epoch_rows(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            _, letters = self.epochs[epoch]
            parts = []
            for letter in letters:
                count, want = self.counts[letter], self._share(letters, letter)
                rng = generator(self.seed, "rows", letter, epoch)
                rounds = [rng.permutation(count) for _ in range(-(-want // count))]
                parts.append(self.start[letter] + np.concatenate(rounds)[:want])
            rows = np.concatenate(parts)
            rows = generator(self.seed, "order", epoch).permutation(rows)
            if len(rows) < self.batch:  # a source smaller than one batch is repeated to fill it
                rows = np.resize(rows, self.batch)
            self._order = (epoch, rows)
        return self._order[1]

    def rows_of(self, letter: str) -> slice:
        """The rows of a source; none where it is no source."""
        first = self.start.get(letter, 0)
        return slice(first, first + self.counts.get(letter, 0))

    def epoch_of(self, step: int) -> int:
        """The epoch (counted over all phases) a step belongs to."""
        return int(np.searchsorted(self.ends, step, side="right"))

    def place(self, step: int, *, in_phase: bool) -> tuple[int, int, int]:
        """(step, epoch, steps in all) as a learning rate counts them: over the run, or within its phase."""
        epoch = self.epoch_of(step)
        if not in_phase:
            return step, epoch, self.total_steps
        numbers = [number for number, _ in self.epochs]
        first, behind = numbers.index(numbers[epoch]), bisect_right(numbers, numbers[epoch])
        begin = int(self.ends[first - 1]) if first else 0
        end = min(int(self.ends[behind - 1]), self.total_steps)
        return step - begin, epoch - first, end - begin

    def step(self, step: int) -> Step:
        """What step number ``step`` (0 .. total_steps - 1) shows."""
        epoch = self.epoch_of(step)
        begin = int(self.ends[epoch - 1]) if epoch else 0
        place = (step - begin) * self.batch
        rows = self._epoch_rows(epoch)[place : place + self.batch]
        last = step + 1 == self.ends[epoch] or step + 1 == self.total_steps
        return Step(rows, self.epochs[epoch][0], epoch, step == begin, last)
