"""Learning rate as a pure function of the step, so that a resumed run cannot get it wrong."""

from __future__ import annotations

import math

from kpkit.specs.recipe import ScheduleSpec


def learning_rate(spec: ScheduleSpec, base: float, step: int, epoch: float, total_steps: int) -> float:
    """Rate of one step.

    Args:
        spec: the schedule.
        base: the recipe's learning rate.
        step: 0 .. total_steps - 1, over all phases.
        epoch: epochs finished, counted over all phases; step schedules compare it to their milestones.
        total_steps: steps of the whole run.

    Returns:
        base * warm-up * decay. Warm-up rises linearly over ``warmup_steps``; cosine falls to zero after it.
    """
    warm = min(1.0, (step + 1) / (spec.warmup_steps + 1))
    if spec.kind == "step":
        return base * warm * spec.factor ** sum(epoch >= milestone for milestone in spec.milestones)
    span = max(total_steps - spec.warmup_steps, 1)
    done = min(max(step - spec.warmup_steps, 0) / span, 1.0)
    return base * warm * 0.5 * (1 + math.cos(math.pi * done))
