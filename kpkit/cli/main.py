"""``kpkit``: commands, exit codes and how errors are said."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer

from kpkit.cli import (
    build,
    compare,
    data,
    demo,
    doctor,
    export,
    judge,
    labels,
    models,
    refine,
    search,
    weights,
)

app = typer.Typer(
    name="kpkit",
    help="Train, pseudo-label, ensemble and submit for the COCO keypoints challenge.\n\n"
    "Exit codes: 0 done, 1 it ran and the answer is no (or it broke), 2 something you gave it is wrong. "
    "Add --debug to any command for the traceback behind an error.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (demo, build, judge, refine, search, compare, models, weights, export, labels, data, doctor):
    group.register(app)


def main() -> None:
    """Entry point. Errors a user can mend are one sentence on stderr."""
    debug = "--debug" in sys.argv or bool(os.environ.get("KPKIT_DEBUG"))
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    sys.exit(run(debug))


def run(debug: bool) -> int:
    """Run the command in ``sys.argv``; returns the exit code. With ``debug`` errors show their traceback."""
    from kpkit.core.errors import KpkitError

    try:
        return int(app(standalone_mode=False, prog_name="kpkit") or 0)
    except typer.Exit as exit_:
        return exit_.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; run the same command again to go on where it was", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        if hasattr(error, "format_message"):
            print(_usage(error), file=sys.stderr)
            return 2
        if isinstance(error, KpkitError):
            print(f"error: {error}", file=sys.stderr)
            return 2
        cause = "; ".join(f"{type(error).__name__}: {error}".splitlines())
        print(f"error: kpkit broke ({cause}); add --debug for the traceback", file=sys.stderr)
        return 1


def _usage(error: Any) -> str:
    """What is wrong with the command line itself: one sentence, or the help where nothing was asked for.

    Releases of typer carry click inside them or stand on it, so its errors are told by what they can do.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "kpkit"
    return f"error: {' '.join(error.format_message().split()).rstrip('.')}; see {command} --help"


if __name__ == "__main__":
    main()
