"""What went wrong, in one sentence a user can act on."""

from __future__ import annotations

from pathlib import Path


class KpkitError(Exception):
    """A mistake the user can mend. The command line prints its text alone and ends with code 2."""


class InputError(KpkitError):
    """An input that cannot be used: names the file, the row, the cause and the remedy.

    Args:
        cause: what is wrong, without a closing full stop.
        file: the offending file.
        row: where in the file (a row number, a key, an image id).
        remedy: what the user can do about it.
    """

    def __init__(
        self,
        cause: str,
        *,
        file: str | Path | None = None,
        row: str | int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.cause, self.file, self.row, self.remedy = cause, file, row, remedy
        where = "" if file is None else f"{file}: "
        if row is not None:
            where += f"row {row}: " if isinstance(row, int) else f"{row}: "
        super().__init__(f"{where}{cause}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by the default pickling, and errors travel between workers.
        return _rebuild, (self.cause, self.file, self.row, self.remedy)


def _rebuild(cause: str, file: str | Path | None, row: str | int | None, remedy: str | None) -> InputError:
    return InputError(cause, file=file, row=row, remedy=remedy)
