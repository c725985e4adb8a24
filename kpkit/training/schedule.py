"""Learning rate as a pure function of the step, so that a resumed run cannot get it wrong."""

from __future__ import annotations

import math

from kpkit.specs.recipe import ScheduleSpec


def learning_rate(spec: ScheduleSpec, base: float, step: int, epoch: float, total_steps: int) -> float:
    """Rate of one step.

    Args:
        spec: the schedule.
        base: the recipe's learning rate.
        step: 0 .. total_steps - 1, over all phases (over one where the schedule restarts).
        epoch: epochs finished, counted likewise; step schedules compare it to their milestones.
        total_steps: steps of the whole run (of the phase where the schedule restarts).

    Returns:
        base * warm-up * decay. Warm-up rises linearly from ``warmup_from`` over ``warmup_steps``; cosine and
        linear fall to zero after it.
    """
    risen = min(1.0, (step + 1) / (spec.warmup_steps + 1))
    warm = spec.warmup_from + (1 - spec.warmup_from) * risen
    if spec.kind == "step":
        return base * warm * spec.factor ** sum(epoch >= milestone for milestone in spec.milestones)
    span = max(total_steps - spec.warmup_steps, 1)
    done = min(max(step - spec.warmup_steps, 0) / span, 1.0)
    return base * warm * (1 - done if spec.kind == "linear" else 0.5 * (1 + math.cos(math.pi * done)))
