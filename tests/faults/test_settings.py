"""Settings that are read anew (SIGHUP) while lines come in."""

from __future__ import annotations

import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.bench import Bench, Collector, size
from faults.test_receivers import free_port

RATE = 50  # lines a second into each log


@contextmanager
def writing(bench: Bench, *logs: Path) -> Iterator[None]:
    """Numbered lines into all of these, in turns."""
    ended = threading.Event()

    def run() -> None:
        files = [log.open("ab", buffering=0) for log in logs]
        while not ended.wait(1 / RATE):
            for file in files:
                file.write(bench.truth.lines(1))
        for file in files:
            file.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def source(name: str, *paths: Path, more: str = "") -> str:
    listed = ", ".join(f'"{path}"' for path in paths)
    return f'[[collector.sources]]\ntype = "file"\nname = "{name}"\npaths = [{listed}]\nformat = "nginx-combined"\n{more}\n'


def reread(bench: Bench, process: Collector, settings: Path, text: str, said: str) -> None:
    """Write the settings, send the signal, wait until it says what it did."""
    before = process.log.read_text(errors="replace").count(said)
    settings.write_text(text)
    process.process.send_signal(signal.SIGHUP)
    bench.until(lambda: process.log.read_text(errors="replace").count(said) > before, f"saying {said!r}", process)


@pytest.mark.fault("F36")
def test_sources_that_come_go_and_change(bench: Bench) -> None:
    """Added, renamed, with another pattern, taken away and put back, mixed with settings that cannot be used: nothing is
    lost or doubled, and one process does it all."""
    one, two, three, web = (bench.folder / "one.log", bench.folder / "two.log", bench.folder / "three.log", free_port())
    settings = bench.folder / "regsight.toml"
    head = f'[store]\nurl = "{bench.url}"\n[web]\nlisten = "127.0.0.1:{web}"\n'
    settings.write_text(head + source("one", one))
    steps = (
        (source("one", one) + source("two", two), "sources begun: two"),
        (source("first", one) + source("two", two), "sources begun: first; sources ended: one"),
        (source("first", one) + source("two", two, three), "sources changed: two"),
        ("[collector\n", "those before stay in force"),
        (source("first", one) + source("two", two, three, more='colour = "red"'), "unknown key 'colour'"),
        (source("first", one, more='log_format = "$nothing"'), "those before stay in force"),
        (source("first", one), "sources ended: two"),
        (source("first", one) + source("two", two, three), "sources begun: two"),
        (
            "[collector]\nbatch_seconds = 0.5\n" + source("first", one) + source("two", two, three),
            "all sources begin anew",
        ),
        (source("first", one) + source("two", two, three), "all sources begin anew"),
        (
            source("first", one) + source("two", two, three) + '[analytics]\ndetectors = ["rules"]\n',
            "jobs, detectors, alerts",
        ),
        (source("one", one), "sources begun: one; sources ended: first, two"),
    )
    with bench.collecting(command=("run", "-c", str(settings))) as process:
        with writing(bench, one, two, three):
            bench.until(bench.stored, "storing something", process)
            for _ in range(size(1, 5)):
                for text, said in steps:
                    reread(bench, process, settings, head + text, said)
                    time.sleep(0.3)  # lines come in under these settings too
            reread(bench, process, settings, head + source("one", one, two, three), "sources changed: one")
        bench.runs = len(steps) * size(1, 5)
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/healthz", timeout=10) as answer:
            assert answer.status == 200
        bench.until_all(process)
        bench.until_still(1)
    bench.verdict(said=f"{bench.runs} changes, a quarter of them not to be used")
    assert not bench.gaps()


@pytest.mark.quick
@pytest.mark.fault("F36")
def test_a_log_format_that_changes(bench: Bench) -> None:
    """`collect --follow` with nginx' own configuration: read anew, lines of the new format are read; a broken one is told
    and the old one stays."""
    conf = bench.folder / "nginx.conf"
    plain = "log_format main '$remote_addr [$time_local] \"$request\" $status $body_bytes_sent';\n"
    with_agent = plain.replace("$body_bytes_sent", '$body_bytes_sent agent="$http_user_agent"')
    conf.write_text(plain)
    number = iter(range(10**6))

    def append(end: str, count: int = 20) -> None:
        with bench.log.open("a") as log:
            for _ in range(count):
                request = f"GET /v2/team/app/manifests/n{next(number)} HTTP/1.1"
                log.write(f'10.0.0.1 [24/Nov/2026:10:00:00 +0000] "{request}" 200 7{end}\n')
        bench.truth.count += count

    command = ("collect", "--follow", "--store", bench.url, "--nginx-config", str(conf), "--log-format", "main")
    append("")
    with bench.collecting(command=(*command, str(bench.log))) as collector:
        bench.until_all(collector)
        reread(bench, collector, conf, with_agent, "settings were read again")
        append(' agent="skopeo/1.9.3"')
        bench.until_all(collector)
        reread(bench, collector, conf, "log_format other '$remote_addr';\n", "those before stay in force")
        append(' agent="skopeo/1.9.3"')
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 2
    bench.verdict(said="the new format is read, a broken one is told")
