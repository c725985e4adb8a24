"""The generated world: drawn pictures of people that look on disk like COCO and AI Challenger."""

from kpkit.data.world.contact_sheet import contact_sheet
from kpkit.data.world.splits import SPLITS, WORLD_SIZES
from kpkit.data.world.write import draw_world

__all__ = ["SPLITS", "WORLD_SIZES", "contact_sheet", "draw_world"]
