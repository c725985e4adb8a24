"""Label Studio's tasks with pre-annotations, to and from Instances.

Format: https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format. The folder holds
``tasks.json`` (import it) and ``label_config.xml`` (the project's labelling interface). A person is a
``rectanglelabels`` region, its keypoints ``keypointlabels`` regions whose ``parentID`` is the rectangle; a
crowd region is a rectangle labelled ``crowd``.

Visibility: Label Studio has none. An unlabelled keypoint (0) has no region; a hidden one (1) carries the
per-region choice ``occluded``; the others are visible (2).

Coordinates are per cent of the picture's width and height: kpkit's pixel index x (whole numbers are pixel
centres) is written as 100 x / width, without half a pixel added, as in Label Studio's own COCO import.

The id stands in the rectangle's region id, the score in its ``score``, source and area (as a share of the
box) in its ``meta``: what Label Studio hands back untouched. Regions drawn by hand have none of them.
"""

from kpkit.exporters.label_studio.read import read_label_studio
from kpkit.exporters.label_studio.write import LOCAL_FILES, write_label_studio

__all__ = ["LOCAL_FILES", "read_label_studio", "write_label_studio"]
