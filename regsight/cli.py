"""The command line. Each command lives in `regsight/commands/`, is imported when it is called (`regsight/lazy.py`), and
what is slow to import where it runs."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from regsight.lazy import LazyGroup

# Rows and events are made by the ten thousand and none is part of a ring: looking for rings at Python's usual 700 objects, and all
# over what joins and ledgers remember, took a quarter of the time of collecting and a fifth of that of detection.
GARBAGE_SEARCHED = (50_000, 20, 50)

app = typer.Typer(
    name="regsight",
    cls=LazyGroup,
    help="Who pushed, pulled, deleted or tried what at your container registries, from where; is it normal; who must know now?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `regsight demo`, then `regsight collect FILE…` on a log of your own. "
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 found something.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from collector.native import path_in_use

        typer.echo(f"regsight {version('regsight')}, {path_in_use()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    from regsight.logs import log_warnings

    log_warnings()


def main() -> None:
    """The `regsight` program. Expected errors are one message on stderr and an exit code, never a traceback."""
    # Arrow's own pool keeps what it once had: a collector grew by tens of MiB an hour, and takes 5 to 7 % more CPU.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # read when Arrow is first imported
    gc.set_threshold(*GARBAGE_SEARCHED)
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe (head, less) went away: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        from regsight.terminal import say

        for line in str(error).splitlines():
            say(f"regsight: {line}")
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """2 for what the user can mend in the call or the settings, 1 for what failed, None for our own mistakes."""
    from analytics.errors import ProcessEnded
    from collector.aws import AwsMissingError
    from collector.errors import LogFormatError, UnknownFormat
    from collector.secret import SecretMissingError
    from regsight.commands.options import UsageError
    from regsight.config import ConfigError
    from store.errors import StoreError

    of_the_settings = (ConfigError, LogFormatError, UnknownFormat, SecretMissingError, AwsMissingError)
    if isinstance(error, (*of_the_settings, UsageError)):
        return 2
    if isinstance(error, (StoreError, ProcessEnded, OSError)):
        return 1
    return None
