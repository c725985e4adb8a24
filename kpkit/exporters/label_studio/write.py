"""Writes Label Studio's tasks and the labelling interface that goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.data.json_write import write_rows
from kpkit.exporters.corrected import area_of_box
from kpkit.exporters.label_studio.names import CONFIG, CROWD, MODEL, OCCLUDED, PERSON, TASKS
from kpkit.exporters.sent import checked

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves a local storage's files; the path below its root follows."""
POINT_WIDTH = 0.4
"""Drawn size of a keypoint, per cent of the picture's width."""
_COLOURS = {"left": "#ff8c00", "right": "#00a0ff"}


def write_label_studio(
    folder: Path, images: ImageTable, people: Instances, *, url_prefix: str = LOCAL_FILES
) -> None:
    """Write ``tasks.json`` and ``label_config.xml``.

    Args:
        folder: an empty folder.
        images: every picture, with its size; each becomes a task.
        people: labels, third keypoint values visibilities. Boxes and keypoints come back equal to 1/10000
            pixel.
        url_prefix: what stands before a picture's file name where Label Studio finds it; the file name is
            quoted after a question mark and in web addresses.

    Raises:
        InputError: see sent.checked.
    """
    rows = checked(images, people)
    size = np.stack([images.width, images.height], axis=1).astype(np.float64)
    per_cent = 100 / np.maximum(size, 1)[rows]
    regions = _Regions(
        people,
        np.concatenate([people.box[:, :2] * per_cent, people.box[:, 2:] * per_cent], axis=1),
        people.keypoints[:, :, :2] * per_cent[:, None],
        area_of_box(people),
    )
    of_picture: list[list[int]] = [[] for _ in range(len(images))]
    for person, row in enumerate(rows.tolist()):
        of_picture[row].append(person)
    quoted = "?" in url_prefix or url_prefix.startswith("http")
    tasks = []
    for row, name in enumerate(images.file_name):
        persons = of_picture[row]
        place = {
            "to_name": "image",
            "image_rotation": 0,
            "original_width": int(images.width[row]),
            "original_height": int(images.height[row]),
        }
        result = [region | place for person in persons for region in regions.of(person)]
        score = float(people.score[persons].mean()) if persons else 0.0
        tasks.append(
            {
                "data": {
                    "image": url_prefix + (quote(name) if quoted else name),
                    "image_id": int(images.id[row]),
                    "file_name": name,
                },
                "predictions": [{"model_version": MODEL, "score": score, "result": result}],
            }
        )
    write_rows(folder / TASKS, tasks)
    (folder / CONFIG).write_text(label_config(people.skeleton), encoding="utf-8")


class _Regions:
    """The regions of each person; coordinates in per cent."""

    def __init__(self, people: Instances, box: np.ndarray, points: np.ndarray, ratio: np.ndarray) -> None:
        self.people, self.box, self.points, self.ratio = people, box, points, ratio

    def of(self, row: int) -> list[dict[str, Any]]:
        """The rectangle, then keypoints in the skeleton's order, each with its choice if it is hidden."""
        people = self.people
        number = int(people.id[row])
        parent = f"{PERSON}-{number}" if number else f"unnumbered-{row}"
        x, y, w, h = self.box[row].tolist()
        label = CROWD if people.crowd[row] else PERSON
        rectangle = {
            "id": parent,
            "type": "rectanglelabels",
            "from_name": "bbox",
            "value": {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [label]},
            "score": float(people.score[row]),
            "meta": {"source": str(people.source[row]), "area_of_box": float(self.ratio[row])},
        }
        regions: list[dict[str, Any]] = [rectangle]
        visibility = people.keypoints[row, :, 2].tolist()
        for name, (px, py), v in zip(
            people.skeleton.keypoints, self.points[row].tolist(), visibility, strict=True
        ):
            if v:
                where = {"x": px, "y": py, "width": POINT_WIDTH}
                region = {"id": f"{parent}-{name}", "parentID": parent}
                told = {"type": "keypointlabels", "from_name": "keypoints"}
                regions.append(region | told | {"value": where | {"keypointlabels": [name]}})
                if v == 1:
                    told = {"type": "choices", "from_name": "visibility"}
                    regions.append(region | told | {"value": where | {"choices": [OCCLUDED]}})
        return regions


def label_config(skeleton: Skeleton) -> str:
    """The labelling interface; ``model_index`` is the keypoint order for Label Studio's own YOLO export."""
    labels = "\n".join(
        f'    <Label value="{name}" model_index="{k}" '
        f'background="{_COLOURS.get(name.split("_")[0], "#50c828")}"/>'
        for k, name in enumerate(skeleton.keypoints)
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
        '  <RectangleLabels name="bbox" toName="image" canRotate="false">\n'
        f'    <Label value="{PERSON}" background="#50c828"/>\n'
        f'    <Label value="{CROWD}" background="#808080"/>\n  </RectangleLabels>\n'
        f'  <KeyPointLabels name="keypoints" toName="image">\n{labels}\n  </KeyPointLabels>\n'
        '  <Choices name="visibility" toName="image" perRegion="true" whenTagName="keypoints" '
        f'choice="multiple">\n    <Choice value="{OCCLUDED}"/>\n  </Choices>\n</View>\n'
    )
