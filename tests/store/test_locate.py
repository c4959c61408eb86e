"""From an address to a store."""

from __future__ import annotations

import subprocess
import sys

import pytest

from store.errors import Rejected
from store.locate import open_store


@pytest.mark.parametrize("prefix", ["delta:", ""])
def test_a_folder_is_an_embedded_store(tmp_path, prefix):
    """With `delta:` or bare."""
    store = open_store(f"{prefix}{tmp_path / 'data'}")
    assert store.url == f"delta:{tmp_path / 'data'}"
    assert store.total() == 0
    store.close()


def test_an_http_address_is_elasticsearch():
    """Opening it needs no server yet; the namespace is part of the address that is shown."""
    store = open_store("http://127.0.0.1:9?namespace=shop", timeout_seconds=1)
    assert store.url == "http://127.0.0.1:9?namespace=shop"
    store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("delta:", "names no folder"),
        ("s3://bucket/events", "unknown store s3:"),
        ("delta:s3://bucket/events", "unknown store s3:"),
        ("postgres://host", "known are delta:FOLDER"),
        ("http://", "names no host"),
        ("http://host:port", "cannot be read"),
        ("https://host?namespace=A-b", "lower-case"),
        ("https://host?namspace=a", "unknown setting 'namspace'"),
    ],
)
def test_an_address_without_a_store_says_what_would_have_one(url, words):
    """The error names what is wrong and what is known."""
    with pytest.raises(Rejected, match=words):
        open_store(url)


def test_only_the_chosen_stores_libraries_are_loaded(tmp_path, request):
    """Whoever keeps events in a folder does not load the Elasticsearch client, nor pandas before it counts."""
    text = (
        "import sys; sys.path[:0] = [sys.argv[1]]; from store.locate import open_store; "
        "assert not {'deltalake', 'duckdb', 'elasticsearch'} & set(sys.modules); "
        "open_store(sys.argv[2]).close(); assert not {'elasticsearch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", text, str(request.config.rootpath), str(tmp_path / "data")], check=True)
