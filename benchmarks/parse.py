"""Parse and normalise to an Arrow table, in a process of its own: `python -m benchmarks.parse FORMAT FILE [baseline]`.

Prints the best of some rounds: CPU seconds for a million lines. `baseline` is what a short script without Regsight does:
json.loads or one expression, a split of the URI, json.dumps.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import own_cpu, own_peak_mb
from collector.stages import Block
from store.contract import Position

BLOCK_BYTES = 4 << 20
ROUNDS = 3
_URI = re.compile(r"/v2/(.+)/(manifests|blobs|tags)/([^?]*)")
_ACCESS = re.compile(r'(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+) (\S+) [^"]*" (\d+) (\d+|-) "[^"]*" "([^"]*)"')


def blocks(data: bytes, stream: str = "bench") -> Iterator[Block]:
    """As a tail hands them over: 4 MiB of whole lines, and the 64 KiB in front."""
    at = 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + BLOCK_BYTES) + 1 or len(data)
        front = data[max(0, at - 65_536) : at]
        before = front if at <= 65_536 else front[front.find(b"\n") + 1 :]
        after = Position(stream=stream, offset=end)
        yield Block(
            stream=stream, offset=at, data=data[at:end], before=before, path="bench.log", registry="r", after=after
        )
        at = end


def _regsight(name: str, pieces: list[Block]) -> int:
    from regsight.discover import formats

    format_ = {each.name: each for each in formats()}[name]
    return sum(format_.parse(piece).lines for piece in pieces)


def _baseline(name: str, pieces: list[Block]) -> int:
    count = 0
    for piece in pieces:
        for line in piece.data.decode().splitlines():
            count += 1
            if name == "distribution-json":
                entry = json.loads(line)
            else:
                found = _ACCESS.match(line)
                names = ("client", "user", "time", "method", "http.request.uri", "status", "bytes", "agent")
                entry = dict(zip(names, found.groups(), strict=True)) if found else {}
            uri = _URI.match(entry.get("http.request.uri", ""))
            entry |= dict(zip(("repository", "kind", "reference"), uri.groups(), strict=True)) if uri else {}
            json.dumps(entry)
    return count


def main() -> None:
    name, path, *how = sys.argv[1:]
    pieces = list(blocks(Path(path).read_bytes()))
    from collector.native import TALLY, path_in_use

    best, lines = float("inf"), 0
    for _ in range(ROUNDS):
        TALLY.left = 0
        begun = own_cpu()
        lines = (_baseline if how else _regsight)(name, pieces)
        best = min(best, own_cpu() - begun)
    answer = {"cpu_s_per_million": best / lines * 1e6, "lines": lines, "left": TALLY.left, "peak_mb": own_peak_mb()}
    print(json.dumps(answer | {"path": "baseline" if how else path_in_use()}))


if __name__ == "__main__":
    main()
