"""Simulated lines beside those of real registries: the same fields, in the same order, in the same succession."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from regsight.traffic.simulate import simulate

CAPTURES = Path(__file__).parents[3] / "samples" / "distribution-live"
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
TEXT_FIELD = re.compile(r'(?:^| )([a-z.]+)=("(?:[^"\\]|\\.)*"|\S*)')
CASES = {
    "distribution-json": CAPTURES / "v3-json" / "registry.log",
    "distribution-json-2.8": CAPTURES / "v2.8.2-json" / "registry.log",
    "distribution-text": CAPTURES / "v3-text" / "registry.stderr.log",
}


@pytest.mark.parametrize("source", CASES)
def test_fields_are_those_of_the_capture(source: str, tmp_path: Path) -> None:
    """For every kind of line that both have, the keys and their order are the same; and most kinds are in both."""
    simulate(tmp_path, start=MONDAY, days=1, seed=1, attacks=["A18/blatant@0.5"], surprises=[], source=source)
    real, simulated = kinds(CASES[source]), kinds(tmp_path / "registry.log")
    shared = real.keys() & simulated.keys()
    assert len(shared) >= 24
    assert simulated.keys() - real.keys() <= UNSEEN
    assert {kind: simulated[kind] for kind in shared} == {kind: real[kind] for kind in shared}


# What no client of the captures did, or met.
UNSEEN = {
    ("authorized request", "POST", "blobs/uploads/?mount", None),
    ("response completed", "POST", "blobs/uploads/?mount", "201"),
    ("response completed with error", "GET", "manifests/T", "503"),
    ("error authorizing context", "GET", "_catalog", None),
}


def kinds(path: Path) -> dict[tuple[str | None, ...], list[str]]:
    """message, method, shape of the path and status → the keys, in order."""
    found: dict[tuple[str | None, ...], list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = read(line)
        if fields is None or "http.request.method" not in fields:
            continue
        message = re.sub(r"(error authorizing context|error authenticating user).*", r"\1", fields["msg"])
        status = fields.get("http.response.status")
        kind = (message, fields["http.request.method"], shape(fields["http.request.uri"]), status and str(status))
        found.setdefault(kind, [key for key in fields if key != "http.request.referer"])
    return found


def read(line: str) -> dict[str, str] | None:
    if line.startswith("{"):
        fields: dict[str, str] = json.loads(line)
        return fields
    if line.startswith("time="):
        return {key: value.strip('"').replace('\\"', '"') for key, value in TEXT_FIELD.findall(line)}
    return None


def shape(uri: str) -> str:
    path, _, query = uri.partition("?")
    path = re.sub(r"sha256:[0-9a-f]{64}", "D", path)
    path = re.sub(r"uploads/.+", "uploads/U", path)
    path = re.sub(r"/v2/.+/(manifests|blobs|tags)/", r"\1/", path)
    path = re.sub(r"manifests/(?!D$).*", "manifests/T", path)
    return path.removeprefix("/v2/") + ("?mount" if "mount=" in query else "")
