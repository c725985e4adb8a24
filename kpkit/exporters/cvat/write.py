"""Writes CVAT's XML and the label set that goes with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import write_json
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.exporters.corrected import area_of_box
from kpkit.exporters.cvat.labels import ATTRIBUTES, BOX, CROWD, PERSON, place, raw_labels, svg
from kpkit.exporters.cvat.xml import ANNOTATIONS, LABELS
from kpkit.exporters.sent import checked

_NO_XML = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")


def write_cvat(folder: Path, images: ImageTable, people: Instances) -> None:
    """Write ``annotations.xml`` and ``labels.json``.

    Args:
        folder: an empty folder.
        images: every picture, with its size.
        people: labels, third keypoint values visibilities. They come back equal, unlabelled keypoints as
            0, 0, 0.

    Raises:
        InputError: see sent.checked; a file name XML cannot hold.
    """
    rows = checked(images, people)
    for name in images.file_name:
        if _NO_XML.search(name):
            raise InputError(f"XML cannot hold the picture name {name!r}", remedy="rename the picture")
    order = sorted(range(len(images)), key=lambda row: images.file_name[row])
    of_picture: list[list[int]] = [[] for _ in range(len(images))]
    for person, row in enumerate(rows.tolist()):
        of_picture[row].append(person)
    write_person = _person_writer(people)
    with open(folder / ANNOTATIONS, "w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        file.write(_meta(len(images), people.skeleton))
        for frame, row in enumerate(order):
            width, height = int(images.width[row]), int(images.height[row])
            name = quoteattr(images.file_name[row])
            file.write(f'  <image id="{frame}" name={name} width="{width}" height="{height}">\n')
            for person in of_picture[row]:
                file.write(write_person(person))
            file.write("  </image>\n")
        file.write("</annotations>\n")
    write_json(folder / LABELS, raw_labels(people.skeleton))


def _meta(size: int, skeleton: Skeleton) -> str:
    attributes = "".join(
        f"            <attribute><name>{name}</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>\n"
        for name in ATTRIBUTES
    )
    attributes = f"          <attributes>\n{attributes}          </attributes>\n"
    shapes = [(PERSON, "skeleton", f"          <svg>{escape(svg(skeleton))}</svg>\n")]
    shapes += [(BOX, "rectangle", ""), (CROWD, "rectangle", "")]
    labels = [
        f"        <label>\n          <name>{name}</name>\n          <type>{kind}</type>\n"
        f"{attributes}{drawing}        </label>\n"
        for name, kind, drawing in shapes
    ]
    labels += [
        f"        <label>\n          <name>{name}</name>\n          <type>points</type>\n"
        f"          <attributes></attributes>\n          <parent>{PERSON}</parent>\n        </label>\n"
        for name in skeleton.keypoints
    ]
    return (
        f"  <meta>\n    <task>\n      <name>kpkit</name>\n      <size>{size}</size>\n"
        "      <mode>annotation</mode>\n      <labels>\n" + "".join(labels) + "      </labels>\n"
        "    </task>\n  </meta>\n"
    )


def _person_writer(people: Instances) -> Callable[[int], str]:
    """A function from a row to the XML of its shapes."""
    names = people.skeleton.keypoints
    standing = np.array([place(name) for name in names]) / 100
    ratio = area_of_box(people)

    def write(row: int) -> str:
        x, y, w, h = people.box[row].tolist()
        points = people.keypoints[row]
        labelled = int((points[:, 2] > 0).sum())
        told = (int(people.id[row]), float(people.score[row]), str(people.source[row]), float(ratio[row]))
        attributes = "".join(
            f'      <attribute name="{name}">{escape(str(value))}</attribute>\n'
            for name, value in zip(ATTRIBUTES, (*told, labelled), strict=True)
        )
        group = f'z_order="0" group_id="{row + 1}"'
        label = CROWD if people.crowd[row] else BOX
        text = (
            f'    <box label="{label}" source="auto" occluded="0" xtl="{x!r}" ytl="{y!r}" '
            f'xbr="{x + w!r}" ybr="{y + h!r}" {group}>\n{attributes}    </box>\n'
        )
        if labelled == 0:  # CVAT shows no skeleton whose points are all outside
            return text
        stand_by = np.round(np.array([x, y]) + standing * [w, h], 2)
        elements = "".join(
            f'      <points label="{name}" source="auto" outside="{int(v == 0)}" occluded="{int(v == 1)}" '
            f'points="{px!r},{py!r}">\n      </points>\n'
            for name, (px, py), v in zip(
                names,
                np.where(points[:, 2:] > 0, points[:, :2], stand_by).tolist(),
                points[:, 2].tolist(),
                strict=True,
            )
        )
        skeleton = f'    <skeleton label="{PERSON}" source="auto" {group}>\n'
        return f"{text}{skeleton}{elements}{attributes}    </skeleton>\n"

    return write
