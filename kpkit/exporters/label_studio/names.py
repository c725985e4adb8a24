"""The names that kpkit's Label Studio tasks go by."""

from __future__ import annotations

TASKS, CONFIG = "tasks.json", "label_config.xml"
PERSON, CROWD = "person", "crowd"
OCCLUDED = "occluded"
"""The choice that says a keypoint is hidden."""
MODEL = "kpkit"
"""``model_version`` of the exported predictions."""
