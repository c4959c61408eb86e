"""`run` and `demo`: everything at once."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, StoreUrl, settings

if TYPE_CHECKING:
    from regsight.app import App

log = logging.getLogger(__name__)


def demo(
    live: Annotated[
        bool,
        typer.Option("--live", help="Also start a real docker-registry here, push and pull real images, and show it."),
    ] = False,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the report instead of serving the page.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the demo's own files; emptied first.")] = Path(
        "demo"
    ),
    listen: Annotated[str, typer.Option(help="Where the page is served.")] = "127.0.0.1:8080",
    days: Annotated[int, typer.Option(min=1, max=60, help="Days of simulated traffic before the captured logs.")] = 14,
    seed: Annotated[int, typer.Option(help="Seed of the simulated traffic.")] = 7,
) -> None:
    """The main job on real input: captured registry logs behind a fortnight of traffic with planted attacks, then the page."""
    from regsight.demo import Demo

    Demo(out=out, listen=listen, days=days, seed=seed, live=live).run(serve=not no_serve)


def run(
    config: ConfigFile = None,
    store: StoreUrl = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Collect, detect, alert, report and serve the page, all from one settings file, until SIGTERM or Ctrl-C.

    SIGHUP reads the settings again.
    """
    from regsight.app import App
    from regsight.logs import log_all
    from regsight.terminal import say

    log_all(log_level)
    chosen = settings(config, store)
    app = App(chosen)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stop())
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=_read_anew, args=(app, config, store)).start())
    app.start()
    if not chosen.collector.sources and chosen.collector.receiver is None:
        say("no source is set in [[collector.sources]]: only the page, the jobs and the alerts run")
    say(f"page: http://{chosen.web.listen}/   metrics: http://{chosen.web.listen}/metrics   stop with Ctrl-C")
    app.wait()


def _read_anew(app: App, config: Path | None, store: str | None) -> None:
    """In a thread of its own: what cannot be used is told, and everything goes on as it was."""
    from collector.errors import CollectorError
    from regsight.config import ConfigError

    try:
        done = app.change(settings(config, store))
    except (ConfigError, CollectorError, OSError, ValueError) as error:
        log.error("the settings were read again and cannot be used; those before stay in force: %s", error)
    else:
        log.info("the settings were read again: %s", done)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(demo)
    app.command()(run)
