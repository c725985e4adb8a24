"""Would the server accept it, and score what was meant? Offline, free, before anything is sent.

Servers answer a bad file with "failed" or, worse, with a wrong number: NaN coordinates, doubled poses, a
stray ``bbox`` key and a wrong category all pass pycocotools in silence.
"""

from __future__ import annotations

from pathlib import Path

from kpkit.core.instances import ImageTable
from kpkit.data.image_lists import read_image_list
from kpkit.submissions.archive import read_submission
from kpkit.submissions.checks import check_rows
from kpkit.submissions.parse import parse_results
from kpkit.submissions.problems import Findings, Problem
from kpkit.submissions.profiles import ServerProfile, profile_named

MAX_POSES = 20
"""Poses of a picture the COCO evaluation looks at."""


def check_submission(
    path: str | Path,
    images: str | Path | ImageTable,
    *,
    profile: str | ServerProfile | None = None,
) -> list[Problem]:
    """Check a keypoint results file, or the zip made of it.

    Args:
        path: the JSON or zip; only read, nothing is unpacked to disk.
        images: the split's pictures: a COCO annotation or ``image_info`` file, or a table.
        profile: a server's rules (a name of PROFILES): then the file's name and size are judged too.

    Returns:
        The problems, errors first; empty when there is nothing to say. A file without errors loads in
        pycocotools.

    Raises:
        InputError: there is no such file, the image list cannot be read, or the profile is unknown.
    """
    rules = profile_named(profile) if isinstance(profile, str) else profile
    table = images if isinstance(images, ImageTable) else read_image_list(images)
    path = Path(path)
    findings = Findings()
    opened = read_submission(path, findings)
    if rules is not None:
        _check_name(path, None if opened is None else opened[0], rules, findings)
    if opened is not None:
        rows = parse_results(opened[1], findings)
        if rows is not None:
            check_rows(rows, table, rules.max_poses if rules else MAX_POSES, findings)
    return findings.problems()


def _check_name(path: Path, inner: str | None, rules: ServerProfile, findings: Findings) -> None:
    """The names and the size of the packed file."""
    wanted = rules.pattern.format(testset=rules.testset, algorithm="ALGORITHM")
    if not rules.names(path.stem):
        findings.file("file_name", f"{path.name} is not named as {rules.name} asks: {wanted}{path.suffix}")
    if path.suffix != ".zip":
        return
    if inner is not None and inner != f"{path.stem}.json":
        findings.file(
            "zip_name", f"the zip holds {inner!r}, must hold {path.stem + '.json'!r}, named like itself"
        )
    size = path.stat().st_size
    if size > rules.max_bytes:
        findings.file(
            "file_size",
            f"the zip has {size:,} bytes, more than {rules.max_bytes:,}; uploads of this size tend to fail: "
            "write fewer decimals or fewer poses",
            "warning",
        )
