"""Webhooks into the real process: what was answered with 200 is stored, whatever happens afterwards."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from faults.bench import ROOT, SEED, Bench, size

from store.contract import EventQuery
from store.locate import open_store

TOKEN = "s3cret-for-the-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def notification(number: int) -> bytes:
    """An envelope of Distribution with one pull."""
    event = {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "timestamp": "2026-11-24T10:00:00Z",
        "action": "pull",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + f"{number:064x}",
            "repository": "team/app",
            "url": f"http://registry/v2/team/app/manifests/n{number}",
            "tag": f"n{number}",
        },
        "request": {
            "id": f"{number:08}-0000",
            "addr": "10.0.0.1:1",
            "host": "registry",
            "method": "GET",
            "useragent": "skopeo",
        },
        "actor": {"name": "ci"},
        "source": {"addr": "registry:5000", "instanceID": "i"},
    }
    return json.dumps({"events": [event]}).encode()


def post(url: str, body: bytes, token: str = TOKEN, timeout: float = 30) -> int:
    """The status, 0 where no answer came."""
    request = urllib.request.Request(
        url, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def start(bench: Bench, port: int, web: int, more: str = "", receiver: str = "") -> subprocess.Popen[bytes]:
    secret = bench.folder / "token"
    secret.write_text(TOKEN)
    settings = bench.folder / f"regsight-{port}.toml"
    settings.write_text(
        f"""
[store]
url = "{bench.url}"
[collector.receiver]
listen = "127.0.0.1:{port}"
{receiver}
[[collector.receiver.endpoints]]
path = "/notifications"
format = "distribution-notifications"
registry = "main"
token_file = "{secret}"
max_body_bytes = 1000000
[web]
listen = "127.0.0.1:{web}"
{more}
"""
    )
    command = [sys.executable, "-m", "regsight", "run", "-c", str(settings)]
    with (bench.folder / "collector.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def up(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the receiver does not come up")


@pytest.mark.quick
@pytest.mark.fault("F34")
def test_a_burst_of_webhooks_and_a_crash(bench: Bench, record: Callable[[dict[str, Any]], None]) -> None:
    """Strangers and giants are refused; senders that press hard are answered or told to come again; after `kill -9`
    everything that was answered with 200 is there, and what is sent again counts once."""
    chance, port, web = random.Random(SEED), free_port(), free_port()
    url, rounds, each = f"http://127.0.0.1:{port}/notifications", size(2, 10), size(60, 1000)
    acknowledged: set[int] = set()
    next_number, lock = iter(range(10**9)), threading.Lock()

    def send(count: int) -> None:
        for _ in range(count):
            with lock:
                number = next(next_number)
            if post(url, notification(number), timeout=10) == 200:
                with lock:
                    acknowledged.add(number)

    for _ in range(rounds):
        process = start(bench, port, web)
        try:
            up(port, process)
            assert post(url, notification(10**6), token="wrong") == 401
            assert post(url, b"[" + b"1," * 5_000_000 + b"1]") in (413, 0)
            senders = [threading.Thread(target=send, args=(each // 12,)) for _ in range(12)]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.5, 2))
            process.kill()  # while they send
            for sender in senders:
                sender.join()
        finally:
            process.kill()
            process.wait()
    process = start(bench, port, web)
    try:
        up(port, process)
        again = sorted(acknowledged)[:20]
        assert [post(url, notification(number)) for number in again] == [200] * len(again)
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
    store = open_store(bench.url)
    stored = [int(str(event["tag"] or event["reference"])[1:]) for event in store.events(EventQuery(action=["pull"]))]
    store.close()
    lost, doubled = acknowledged - set(stored), len(stored) - len(set(stored))
    record(
        {
            "fault": bench.fault,
            "store": "embedded",
            "runs": rounds,
            "written": len(acknowledged),
            "lost": len(lost),
            "doubled": doubled,
            "said": "strangers 401, a body of 10 MB refused",
        }
    )
    assert acknowledged and not lost and not doubled
    assert "Traceback" not in (bench.folder / "collector.log").read_text()


@pytest.mark.fault("F34")
def test_clients_that_send_slowly(bench: Bench, record: Callable[[dict[str, Any]], None]) -> None:
    """Hundreds of connections that send a letter now and then, some in the headers and some in the body: each is broken off
    in time, and who sends at once is answered meanwhile."""
    port, patience, crowd = free_port(), 3.0, size(60, 300)
    head = f"POST /notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    begun = {"headers": head.encode(), "body": f"{head}Content-Length: 500\r\n\r\n{{".encode()}
    process = start(bench, port, free_port(), receiver=f"request_seconds = {patience}")
    url, answered, ended = f"http://127.0.0.1:{port}/notifications", 0, Counter[str]()
    try:
        up(port, process)
        slow = {}
        for number in range(crowd):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            connection.setblocking(False)
            connection.send(begun[("headers", "body")[number % 2]])
            slow[connection] = ("headers", "body")[number % 2]
        opened = time.monotonic()
        while slow:
            assert time.monotonic() - opened < 20 * patience, f"{len(slow)} of {crowd} are still open"
            answered += post(url, notification(answered)) == 200
            for connection, kind in list(slow.items()):
                with suppress(BlockingIOError):
                    try:
                        connection.send(b" ")
                        end = connection.recv(4096)
                    except ConnectionError:
                        end = b""
                    if end == b"" or b" 408 " in end:
                        ended[f"{kind}{' 408' if end else ''}"] += 1
                        connection.close()
                        del slow[connection]
            time.sleep(0.2)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    store = open_store(bench.url)
    stored = store.total()
    store.close()
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(ended.items()))
    record(
        {
            "fault": bench.fault,
            "store": "embedded",
            "runs": crowd,
            "written": answered,
            "lost": answered - stored,
            "doubled": 0,
            "said": f"slow clients broken off: {said}",
        }
    )
    assert answered and stored == answered
    assert "Traceback" not in (bench.folder / "collector.log").read_text()


@pytest.mark.quick
@pytest.mark.fault("F38")
def test_a_job_runs_once_whoever_is_there(bench: Bench, record: Callable[[dict[str, Any]], None]) -> None:
    """Two processes on one store, killed and started again: each due moment of a daily job has one run, the missed ones too."""
    from datetime import UTC, datetime, timedelta

    from store.contract import JobRun

    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    store = open_store(bench.url)
    done = today - timedelta(days=4)
    store.start_run(JobRun(job="report", due_at=done, started_at=done, finished_at=done, state="ok"))
    reports = bench.folder / "reports"
    more = f'[reports]\nfolder = "{reports}"\ndaily_at = "00:00"'
    running = [start(bench, free_port(), free_port(), more) for _ in range(2)]
    try:
        bench.until(
            lambda: len([r for r in store.runs("report") if r.state == "ok"]) >= 5, "making good the missed runs"
        )
        bench.until_still(2)
    finally:
        for process in running:
            process.terminate()
        codes = [process.wait(20) for process in running]
    runs = [run for run in store.runs("report") if run.due_at > done]
    store.close()
    record(
        {
            "fault": bench.fault,
            "store": "embedded",
            "runs": 2,
            "written": 4,
            "lost": 4 - len({run.due_at for run in runs}),
            "doubled": len(runs) - len({run.due_at for run in runs}),
            "said": "four missed days made good",
        }
    )
    assert codes == [0, 0]
    assert [run.due_at for run in sorted(runs, key=lambda run: run.due_at)] == [
        today - timedelta(days=n) for n in (3, 2, 1, 0)
    ]
    assert all(run.state == "ok" for run in runs)
    assert len(list(Path(reports).glob("*.html"))) == 4
