"""From a projected body and a look to the tubes that the painter draws."""

from __future__ import annotations

import numpy as np

from kpkit.data.world import carried, clothes, heads
from kpkit.data.world.camera import Projected
from kpkit.data.world.fitting import Fitting
from kpkit.data.world.looks import Look
from kpkit.data.world.tubes import Tube


def dress(figure: Projected, look: Look, rng: np.random.Generator) -> list[Tube]:
    """All tubes of a figure, in any order: the depth buffer sorts them."""
    fit = Fitting(figure, look, rng)
    clothes.torso(fit)
    for side in ("left", "right"):
        clothes.arm(fit, side)
        clothes.leg(fit, side)
    if look.skirt:
        clothes.skirt(fit)
    if look.back == "rucksack":
        clothes.rucksack(fit)
    if look.headless:
        heads.stump(fit)
    else:
        heads.head(fit)
        heads.hair(fit)
        heads.hat(fit)
    for name in look.things:
        carried.thing(fit, name)
    return fit.tubes
