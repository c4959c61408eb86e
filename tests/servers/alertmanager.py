"""A real Prometheus Alertmanager on a free loopback port."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from servers.presence import program

# group_wait 0 and a receiver that goes nowhere: most tests read the API, and nobody is notified.
_SETTINGS = """\
route:
  receiver: nobody
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: nobody
"""


class Alertmanager:
    """One process; `stop` kills it by its own id."""

    def __init__(self, folder: Path, port: int, binary: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder, self._port, self._binary = folder, port, binary
        self._process: subprocess.Popen[bytes] | None = None
        self._receiver = ""

    def notify(self, url: str) -> None:
        """Start anew, with a receiver that Alertmanager tells of what fires and what is over."""
        self._receiver = f"    webhook_configs:\n      - url: {url}\n        send_resolved: true\n"
        self.stop()
        self.start()

    def start(self) -> None:
        settings = self._folder / "alertmanager.yml"
        settings.write_text(_SETTINGS + self._receiver)
        with (self._folder / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._binary),
                    f"--config.file={settings}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        self._await_ready()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 30
        with urllib3.PoolManager(timeout=2.0) as pool:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    break
                try:
                    if pool.request("GET", f"{self.url}/-/ready", retries=False).status == 200:
                        return
                except urllib3.exceptions.HTTPError:
                    time.sleep(0.05)
        pytest.fail("Alertmanager did not start:\n" + (self._folder / "alertmanager.log").read_text()[-2000:])

    def alerts(self) -> list[dict]:
        """What its API shows as alerts, resolved ones left out."""
        with urllib3.PoolManager(timeout=5.0) as pool:
            answer = pool.request("GET", f"{self.url}/api/v2/alerts", retries=False)
            assert answer.status == 200, answer.data
            return answer.json()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def alertmanager_server(tmp_path: Path) -> Iterator[Alertmanager]:
    """A started Alertmanager with an empty data folder."""
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    server = Alertmanager(folder, free_port(), program("prometheus-alertmanager", "prometheus-alertmanager"))
    server.start()
    try:
        yield server
    finally:
        server.stop()
