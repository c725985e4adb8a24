"""Server profiles: what each evaluation server wants a file to be, as data.

The name pattern is confirmed by public code for test-dev2017 and taken over for the other splits; size
limits are not published, so they only warn. Servers move: change a row here, nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpkit.core.errors import InputError

_ALGORITHM = r"[A-Za-z0-9._-]+"


@dataclass(frozen=True)
class ServerProfile:
    """The rules of one server and split.

    Attributes:
        name: the name documents and the command line use.
        testset: the split's name inside the file name.
        image_list: COCO's file with the ids of the split, relative to the data set's root.
        pattern: file name without ending, with ``{testset}`` and ``{algorithm}``.
        decimals: digits after the point of written coordinates (0.01 pixel is far below any label's
            precision and keeps files small).
        max_poses: poses of a picture the server looks at.
        max_bytes: size of the zip above which uploads are known to fail or time out.
    """

    name: str
    testset: str
    image_list: str
    pattern: str = "person_keypoints_{testset}_{algorithm}_results"
    decimals: int = 2
    max_poses: int = 20
    max_bytes: int = 100 * 2**20

    def stem(self, algorithm: str) -> str:
        """The file name without ending.

        Raises:
            InputError: the algorithm's name holds anything but letters, digits, dot, dash, underscore.
        """
        if not re.fullmatch(_ALGORITHM, algorithm):
            raise InputError(
                f"algorithm name {algorithm!r} cannot be part of a file name",
                remedy="use letters, digits, dot, dash and underscore only",
            )
        return self.pattern.format(testset=self.testset, algorithm=algorithm)

    def names(self, stem: str) -> bool:
        """Whether a file name without ending follows the pattern."""
        before, after = self.pattern.format(testset=self.testset, algorithm="\0").split("\0")
        return re.fullmatch(re.escape(before) + _ALGORITHM + re.escape(after), stem) is not None


PROFILES = {
    profile.name: profile
    for profile in (
        ServerProfile("val2017", "val2017", "annotations/person_keypoints_val2017.json"),
        ServerProfile("test-dev2017", "test-dev2017", "annotations/image_info_test-dev2017.json"),
        # The challenge takes the whole of test2017; which of its pictures count is not published.
        ServerProfile("test-challenge2017", "test2017", "annotations/image_info_test2017.json"),
        ServerProfile(
            "local", "local", "annotations/person_keypoints_val2017.json", decimals=3, max_bytes=2**31
        ),
    )
}


def profile_named(name: str) -> ServerProfile:
    """The profile of a name; raises InputError that lists the known ones."""
    if name not in PROFILES:
        raise InputError(f"no server profile {name!r}", remedy=f"use one of {', '.join(sorted(PROFILES))}")
    return PROFILES[name]
