"""`python -m benchmarks.time_to_tell [--attacks N]`: how long from an attack's first line in the log to somebody told?

`regsight run` with its default settings follows a log as nginx writes it in front of a registry; a receiver on loopback
is its only channel. Fast attacks are written into the log at random moments among ordinary pulls; for each, the time
from its first line until the event can be asked for (`/api/events`), and until a message that names its address has
arrived. Takes about half a minute per attack.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from regsight.live import free_port

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0  # seconds after which an attack counts as not told
PAUSE = (20.0, 40.0)  # between attacks: detection runs once a minute, so their phase in the minute is left to chance


class Receiver:
    """Keeps what arrives, with the moment of arrival."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.arrived.append((time.monotonic(), body.decode()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def first(self, client: str) -> float | None:
        """When the address was first named. 203.0.113.1 is not 203.0.113.12: it ends where no digit follows."""
        for at, body in list(self.arrived):
            if any(not rest[:1].isdigit() for rest in body.split(client)[1:]):
                return at
        return None


class Log:
    """The access log, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def line(self, client: str, user: str, request: str, status: int, agent: str = "docker/27.3.1") -> None:
        at = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        with self._lock:
            self._file.write(f'{client} - {user} [{at}] "{request} HTTP/1.1" {status} 512 "-" "{agent}"\n')


@dataclass
class Attack:
    name: str
    run: Callable[[Log, str, int], None]


def _passwords(log: Log, client: str, number: int) -> None:
    for _ in range(60):
        log.line(client, f"victim{number}", f"GET /v2/team{number}/app/manifests/latest", 401)
        time.sleep(0.05)
    log.line(client, f"victim{number}", f"GET /v2/team{number}/app/manifests/latest", 200)


def _names(log: Log, client: str, number: int) -> None:
    for guess in range(60):
        log.line(client, "-", f"HEAD /v2/guess{number}/name{guess}/manifests/latest", 404)
        time.sleep(0.05)


def _deletes(log: Log, client: str, number: int) -> None:
    for image in range(60):
        log.line(client, f"leaver{number}", f"DELETE /v2/shop{number}/api/manifests/sha256:{image:064x}", 202)
        time.sleep(0.05)


def _refused(log: Log, client: str, number: int) -> None:
    for image in range(6):
        log.line(client, f"guest{number}", f"DELETE /v2/core{number}/api/manifests/sha256:{image:064x}", 403)
        time.sleep(0.05)


def _outside(log: Log, client: str, number: int) -> None:
    log.line(client, "-", f"GET /v2/..%2f..%2f%2e%2e/etc/secret{number}", 200)


# Of a severity that is told by default (medium and above).
ATTACKS = (
    Attack("passwords guessed, one was right", _passwords),
    Attack("names guessed", _names),
    Attack("images deleted one after another", _deletes),
    Attack("deletes tried without the right", _refused),
    Attack("an answer from outside the registry", _outside),
)


@dataclass(slots=True)
class Told:
    """One attack. Seconds from its first line until it could be asked for and until somebody was told; None: it was not."""

    name: str
    client: str
    begun: float
    queryable: float | None = None
    told: float | None = None


def watch(page: str, attack: Told) -> None:
    """Ask the page for the attack's events until there is one."""
    address = f"http://{page}/api/events?limit=1&client={attack.client}"
    while time.monotonic() - attack.begun < PATIENCE:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                if json.load(answer)["events"]:
                    attack.queryable = time.monotonic() - attack.begun
                    return
        except (urllib.error.URLError, OSError):
            pass  # asked again
        time.sleep(0.1)


def ordinary(log: Log, stop: threading.Event, chance: random.Random) -> None:
    """Twenty machines pull what they always pull."""
    while not stop.wait(0.2):
        node = chance.randrange(20)
        log.line(f"10.0.0.{node + 1}", f"node{node}", f"GET /v2/base/app{node % 5}/manifests/1.{node % 3}", 200)


@contextmanager
def running(folder: Path, receiver: Receiver, log: Path) -> Iterator[str]:
    """`regsight run` over the log; gives the address of its page."""
    page = f"127.0.0.1:{free_port()}"
    settings = folder / "regsight.toml"
    settings.write_text(
        f'[store]\nurl = "delta:{folder}/data"\n'
        f'[[collector.sources]]\ntype = "file"\nname = "registry"\npaths = ["{log}"]\n'
        f'[[alerts.channels]]\nname = "inbox"\napprise = "json://127.0.0.1:{receiver.port}/"\n'
        f'[web]\nlisten = "{page}"\n'
    )
    command = [sys.executable, "-m", "regsight", "run", "-c", str(settings), "--log-level", "warning"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            deadline = time.monotonic() + 300  # a busy machine takes its time to load
            while not _answers(f"http://{page}/readyz"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("regsight run did not start")
                time.sleep(0.2)
            yield page
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure(attacks: int, seed: int) -> list[Told]:
    """Plants the attacks, one after another, and waits for all messages."""
    chance = random.Random(seed)
    receiver, stop = Receiver(), threading.Event()
    planted: list[Told] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = Log(folder / "access.log")
        threading.Thread(target=ordinary, args=(log, stop, random.Random(seed)), daemon=True).start()
        with running(folder, receiver, folder / "access.log") as page:
            time.sleep(10)  # ordinary traffic first
            for number in range(attacks):
                time.sleep(chance.uniform(*PAUSE))
                attack = ATTACKS[number % len(ATTACKS)]
                planted.append(Told(attack.name, f"203.0.113.{number + 1}", time.monotonic()))
                threading.Thread(target=watch, args=(page, planted[-1]), daemon=True).start()
                attack.run(log, planted[-1].client, number)
            deadline = time.monotonic() + PATIENCE
            while any(receiver.first(one.client) is None for one in planted) and time.monotonic() < deadline:
                time.sleep(0.2)
        stop.set()
    for one in planted:
        at = receiver.first(one.client)
        one.told = None if at is None else at - one.begun
    return planted


def row(name: str, planted: list[Told]) -> str:
    """One line of the table: how many, and median and worst of both times."""
    told = [one.told for one in planted if one.told is not None]
    queryable = [one.queryable for one in planted if one.queryable is not None]
    cells = [f"{name:35}", f"{len(told):4} of {len(planted):2}"]
    for times in (queryable, told):
        cells += [f"{statistics.median(times):8.1f} {max(times):8.1f}" if times else f"{'–':>8} {'–':>8}"]
    return "  ".join(cells)


def main() -> None:
    """Prints a line per kind of attack, and one for all: seconds, median and worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    chosen = parser.parse_args()
    planted = measure(chosen.attacks, chosen.seed)
    print(f"{'seconds from its first line':35}  {'told':>10}  {'can be asked for':>17}  {'until told':>17}")
    print(f"{'':47}  {'median':>8} {'worst':>8}  {'median':>8} {'worst':>8}")
    for attack in ATTACKS:
        if of_it := [one for one in planted if one.name == attack.name]:
            print(row(attack.name, of_it))
    print(row("all", planted))
    # Detection is work: on a machine that others keep busy it takes as much longer as they take of it.
    print(f"\nload average {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors")
    if chosen.json:
        figures = [{"attack": one.name, "queryable_seconds": one.queryable, "seconds": one.told} for one in planted]
        chosen.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
