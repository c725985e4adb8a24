"""What the graph is built against: the data folder, the runs folder, remembered file hashes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from kpkit.core.errors import InputError
from kpkit.core.files import HashCache
from kpkit.data.annotation_cache import FOLDER
from kpkit.specs.datasets import JUDGED, Dataset, DatasetSpec, data_root, known_lists, known_name, resolve


@dataclass
class Context:
    """Where things are.

    Args:
        data: the folder of data sets; None takes ``KPKIT_DATA``.
        runs: the folder of artefacts.
    """

    data: Path | None
    runs: Path
    hashes: HashCache = field(init=False)

    def __post_init__(self) -> None:
        self.runs = self.runs.absolute()
        if self.runs.exists() and not self.runs.is_dir():
            raise InputError("is a file, not a folder of artefacts", file=self.runs, remedy="give --runs DIR")
        self.hashes = HashCache(self.runs / ".hashes.json")

    def dataset(
        self,
        name: str,
        own: dict[str, DatasetSpec],
        missing: list[str],
        need: tuple[str, ...] = (),
        *,
        named_in: Path,
        pictures: bool = True,
        more: tuple[str, ...] = (),
    ) -> Dataset | None:
        """A data set's files; what is not there is added to ``missing`` instead of raised.

        Raises InputError for a name that is no data set's, with the document it stands in.
        """
        try:
            known_name(name, own)
        except InputError as error:
            raise InputError(error.cause, file=named_in, remedy=error.remedy) from None
        try:
            found = resolve(name, data_root(self.data), own, need=need, pictures=pictures, more=more)
            return replace(found, cache=self.runs / FOLDER)
        except InputError as error:
            if str(error) not in missing:
                missing.append(str(error))
            return None

    def kept_apart(self, images: Dataset) -> list[Dataset]:
        """Known data sets that must share no picture with one to be labelled.

        All but itself; itself too where results are judged on it.
        """
        lists = known_lists(data_root(self.data))
        own = images.annotations.resolve()
        return [known for known in lists if known.name in JUDGED or known.annotations.resolve() != own]

    def hash(self, path: Path | None) -> str:
        """SHA-256 of an input file; ``"missing"`` for one that is not there."""
        return "missing" if path is None else self.hashes(path)
