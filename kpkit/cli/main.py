"""``kpkit``: commands, exit codes and how errors are said."""

from __future__ import annotations

import os
import sys

import typer

from kpkit.cli import build, compare, data, demo, doctor, judge, models

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
for group in (demo, build, judge, compare, models, data, doctor):
    group.register(app)


def main() -> None:
    """Entry point. Errors a user can mend are one sentence on stderr."""
    debug = "--debug" in sys.argv or bool(os.environ.get("KPKIT_DEBUG"))
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    sys.exit(run(debug))


def run(debug: bool) -> int:
    """Run the command in ``sys.argv``; returns the exit code."""
    import click

    from kpkit.core.errors import KpkitError

    try:
        code = app(standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except KpkitError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        print("stopped; run the same command again to go on where it was", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        print(f"error: kpkit broke ({kind}: {error}); add --debug for the traceback", file=sys.stderr)
        return 1


if __name__ == "__main__":
    main()
