"""CVAT's own XML, "CVAT for images 1.1", to and from Instances.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat and .../xml_format. A person is a
``skeleton`` of ``points`` elements and a ``box`` in one group; a crowd region is a box of its own. The folder
holds ``annotations.xml`` (upload it as "CVAT 1.1" to a task that has the pictures) and ``labels.json`` (paste
it as the task's labels first).

Visibility: 2 is neither outside nor occluded, 1 is ``occluded``, 0 is ``outside``. Outside points stand where
they would on an upright person, ready to be switched on and dragged.

Coordinates pass unchanged, as in CVAT's own COCO import: a whole number, kpkit's pixel centre, stands at that
pixel's corner on CVAT's canvas. CVAT gives coordinates back rounded to 1/100 pixel.

Id, score, source and the area (as a share of the box) are text attributes, so they survive. Pasting a copy of
a person copies its id; the later one is taken for a new person.
"""

from kpkit.exporters.cvat.read import read_cvat
from kpkit.exporters.cvat.write import write_cvat

__all__ = ["read_cvat", "write_cvat"]
