"""Sources that come and go while a pipeline runs, and a store that shuts its door to a reader."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from collecting import embedded, events, pipeline, until

from collector.feed import Feed
from collector.sources.file_tail import FileTail
from store.contract import Position
from store.errors import Rejected

LINE = (
    b'10.0.0.1 - - [24/Nov/2026:10:00:%02d +0000] "GET /v2/team/app/manifests/n%d HTTP/1.1" 200 7 "-" "skopeo/1.9.3"\n'
)


def lines(*numbers: int) -> bytes:
    return b"".join(LINE % (number % 60, number) for number in numbers)


def test_sources_change_while_others_read_on(tmp_path: Path) -> None:
    """One is renamed and gets another pattern, one is taken away, one comes: each line once, nothing of what is not meant."""
    paths = {name: tmp_path / f"{name}.log" for name in ("one", "two", "three")}
    for number, path in enumerate(paths.values()):
        path.write_bytes(lines(number))
    with embedded(tmp_path / "store") as store:

        def tail(name: str, *logs: str) -> Feed:
            patterns = [str(paths[log]) for log in logs]
            return Feed(
                source=FileTail(name, patterns, follow=True, known=store.positions, poll_seconds=0.05),
                format="nginx-combined",
            )

        running = pipeline(store, tail("a", "one").source, "nginx-combined")
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            until(lambda: store.total() == 1, "reading the first")
            running.change([tail("b", "one", "two")], {"a"})
            until(lambda: store.total() == 2, "reading under the new name")
            with paths["one"].open("ab") as log:
                log.write(lines(10))
            until(lambda: store.total() == 3, "going on where it was")
            running.change([tail("c", "three")], {"b"})
            until(lambda: store.total() == 4, "reading the third")
            with paths["two"].open("ab") as log:
                log.write(lines(11))
            with paths["three"].open("ab") as log:
                log.write(lines(12))
            until(lambda: store.total() == 5, "reading on")
        finally:
            running.stop()
            thread.join(60)
        assert not thread.is_alive()
        assert sorted(event["reference"] for event in events(store)) == ["n0", "n1", "n10", "n12", "n2"]


def test_a_store_that_refuses_its_reader_ends_the_run(tmp_path: Path) -> None:
    """A wrong password is seen when the position is asked for: the run ends with the cause instead of asking for ever."""
    (tmp_path / "log").write_bytes(lines(1))
    with embedded(tmp_path / "store") as store:

        class Shut:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def position(self, stream: str) -> Position | None:
                raise Rejected("the door is shut")

        source = FileTail("log", [str(tmp_path / "log")], follow=True, poll_seconds=0.05)
        with pytest.raises(Rejected, match="the door is shut"):
            pipeline(Shut(), source, "nginx-combined").run()
