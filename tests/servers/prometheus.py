"""A real Prometheus for the tests, and promtool: both from the Debian package `prometheus`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import presence

SCRAPE_SECONDS = 0.25


class PrometheusServer:
    """A server with an empty database of its own on a free port of 127.0.0.1."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url, self._process, self._log = url, process, log

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an API answer; an AssertionError with the server's words if it is not a success."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                body = json.loads(error.read())
        assert body["status"] == "success", f"{parameters}: {body.get('error')}"
        return body["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Series of an expression, now."""
        result: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return result

    def query_range(self, expr: str, seconds: float, step: float) -> list[dict[str, Any]]:
        """Series of an expression over the last `seconds`."""
        end = time.time()
        got = self.get("query_range", query=expr, start=str(end - seconds), end=str(end), step=str(step))
        result: list[dict[str, Any]] = got["result"]
        return result

    def wait(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"Prometheus did not start:\n{self._log.read_text(errors='replace')[-3000:]}")


@contextmanager
def running(folder: Path, targets: Sequence[str], rules: Sequence[Path] = ()) -> Iterator[PrometheusServer]:
    """A server that scrapes `targets` (host:port) four times a second and evaluates `rules`; gone at the end."""
    program = presence.program("prometheus", "prometheus")
    config = folder / "prometheus.json"  # JSON is YAML
    jobs = [{"job_name": "regsight", "static_configs": [{"targets": list(targets)}]}]
    interval = f"{int(SCRAPE_SECONDS * 1000)}ms"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in rules],
                "scrape_configs": jobs,
            }
        )
    )
    port, log = _free_port(), folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(program),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'prometheus-data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        server = PrometheusServer(f"http://127.0.0.1:{port}", process, log)
        server.wait()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The program that checks and tests rule files."""
    return presence.program("promtool", "prometheus")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
