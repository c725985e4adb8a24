"""``export-labels`` and ``import-labels``: to a labelling or training tool, and corrected back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kpkit.cli.options import Data, Runs

if TYPE_CHECKING:
    from kpkit.core.instances import ImageTable, Instances
    from kpkit.exporters.corrected import Corrected
    from kpkit.pipeline.labels import Labels

Format = Annotated[
    Literal["coco", "yolo", "cvat", "label-studio"],
    typer.Option("--format", help="coco, yolo (YOLO-pose), cvat (for images 1.1) or label-studio."),
]


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("export-labels")(export_labels)
    app.command("import-labels")(import_labels)


def export_labels(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A pseudo-label document, its artefact's folder, or a COCO annotation file.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    format: Format,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Picture folder; a document's own by default. yolo links to it."),
    ] = None,
    url_prefix: Annotated[
        str | None,
        typer.Option(
            "--url-prefix", help="label-studio: what stands before a file name; its local files by default."
        ),
    ] = None,
    data: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write labels for COCO tools, Ultralytics, CVAT or Label Studio.

    Keypoint names, visibilities and boxes survive the way there and back in every format; ids, scores and
    crowd regions in all but yolo.
    """
    from kpkit.exporters.sent import making, with_sizes
    from kpkit.pipeline.labels import labels_of

    labels = labels_of(source, data=data, runs=runs, images=images)
    if format != "coco":
        labels.images = with_sizes(labels.images, labels.folder)
    with making(out) as work:
        note = _write(format, work, labels, url_prefix)
    people, crowds = labels.people, int(labels.people.crowd.sum())
    print(
        f"{out}: {len(labels.images)} pictures, {len(people) - crowds} people with "
        f"{int(people.num_labelled.sum())} keypoints, {crowds} crowd regions"
    )
    print(f"  {note}")


def _write(format: str, work: Path, labels: Labels, url_prefix: str | None) -> str:
    """Write one format into a folder; returns what the user should know next."""
    images, people = labels.images, labels.people
    if format == "yolo":
        from kpkit.exporters.yolo_pose import write_yolo_pose

        left_out = write_yolo_pose(work, images, people, pictures=labels.folder)
        note = "name a labelled val set in data.yaml, then train with yolo pose train data=.../data.yaml"
        if labels.folder is None:
            note = f"put the pictures under images/ (or give --images); {note}"
        lost = f"{left_out.people} crowd regions and people without a box, {left_out.keypoints} keypoints"
        return note if left_out == (0, 0) else f"not in this format: {lost} outside their picture\n  {note}"
    if format == "cvat":
        from kpkit.exporters.cvat import write_cvat

        write_cvat(work, images, people)
        return "make a task of the pictures with labels.json (Raw), then upload annotations.xml as CVAT 1.1"
    if format == "label-studio":
        from kpkit.exporters.label_studio import LOCAL_FILES, write_label_studio

        write_label_studio(work, images, people, url_prefix=url_prefix or LOCAL_FILES)
        return "use label_config.xml as the labelling interface, then import tasks.json"
    from kpkit.data.coco import write_annotations
    from kpkit.exporters.coco import ANNOTATIONS

    write_annotations(work / ANNOTATIONS, images, people, scores=True)
    return f"{ANNOTATIONS} loads in pycocotools and imports into CVAT, FiftyOne and others"


def import_labels(
    file: Annotated[
        Path, typer.Argument(metavar="FILE_OR_DIR", help="What the tool gave back, or the exported folder.")
    ],
    format: Format,
    images: Annotated[
        Path,
        typer.Option(
            "--images",
            help="Image list (COCO). The exported annotations themselves also tell what was changed.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="COCO annotation file to write.")],
) -> None:
    """Corrected labels back as a COCO annotation file, which a document can name as a data set.

    Deleted people are gone, moved points are where they were put, added people get new ids. Pictures that the
    file does not speak of are left out.
    """
    from kpkit.data.coco import write_annotations
    from kpkit.exporters.corrected import changes, number_new, recognise
    from kpkit.pipeline.labels import labels_in

    table, before = labels_in(images)
    corrected = _read(format, file, table)
    if format == "yolo":
        corrected = recognise(corrected, before)
    people = number_new(corrected.people, int(before.id.max(initial=0)))
    corrected = _ordered(corrected.images, people, file)
    write_annotations(
        out,
        corrected.images,
        corrected.people,
        info={"description": f"kpkit labels corrected in {format}", "source": "U"},
        scores=True,
    )
    compared = f": {changes(before, corrected)}" if len(before) else ""
    print(f"{out}: {len(corrected.images)} pictures, {len(people)} people{compared}")
    missing = len(table) - len(corrected.images)
    if missing:
        print(f"  {missing} pictures of the list are not in {file.name} and are left out")
    print(f'  train on it: [datasets.corrected] format = "coco", annotations = "{out.absolute()}"')


def _read(format: str, file: Path, images: ImageTable) -> Corrected:
    if format == "yolo":
        from kpkit.exporters.yolo_pose import read_yolo_pose

        return read_yolo_pose(file, images)
    if format == "cvat":
        from kpkit.exporters.cvat import read_cvat

        return read_cvat(file, images)
    if format == "label-studio":
        from kpkit.exporters.label_studio import read_label_studio

        return read_label_studio(file, images)
    from kpkit.exporters.coco import read_coco

    return read_coco(file, images)


def _ordered(images: ImageTable, people: Instances, file: Path) -> Corrected:
    """People in the pictures' order, then by id; refuses labelled people whose box has no size."""
    import numpy as np

    from kpkit.data.json_rows import check_boxes
    from kpkit.exporters.corrected import Corrected

    rows = images.rows_of(people.image_id)
    check_boxes(
        people.box,
        people.num_labelled > 0,
        file,
        lambda k: f"picture {images.file_name[rows[k]]!r}, person {people.id[k]}",
    )
    return Corrected(images, people[np.lexsort((people.id, rows))])
