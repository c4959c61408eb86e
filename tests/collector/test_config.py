"""What a user may set: unknown keys are refused, and a secret is named, never written or shown."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from collector.build import feeds
from collector.config import CollectorConfig, EndpointConfig, HarborSource
from collector.secret import SecretMissingError
from collector.telemetry import CollectorTelemetry

HARBOR = {"type": "harbor", "name": "h", "url": "https://harbor.example", "username": "auditor"}


def test_settings_become_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a Harbor and a receiver are three feeds; secrets come from a file and a variable and are in no repr."""
    (tmp_path / "token").write_text("token-from-file\n")
    monkeypatch.setenv("HARBOR_PASSWORD", "password-from-env")
    config = CollectorConfig.model_validate({
        "sources": [
            {"type": "file", "name": "log", "paths": ["/var/log/registry/*.log"]},
            HARBOR | {"password_env": "HARBOR_PASSWORD"},
        ],
        "receiver": {"listen": "127.0.0.1:0", "endpoints": [{"path": "/e", "token_file": str(tmp_path / "token")}]},
    })  # fmt: skip
    made = feeds(config, lambda: [], CollectorTelemetry(CollectorRegistry()))
    assert [feed.source.name for feed in made] == ["log", "h", "receiver"]
    assert not any(feed.strict for feed in made)
    endpoint = config.receiver.endpoints[0]
    assert endpoint.token().get_secret_value() == "token-from-file"
    assert config.sources[1].password().get_secret_value() == "password-from-env"
    shown = repr(config) + repr(endpoint.token()) + repr(made) + config.model_dump_json()
    assert "token-from-file" not in shown and "password-from-env" not in shown


@pytest.mark.parametrize(
    "settings",
    [
        {"source": []},
        {"sources": [{"type": "file", "name": "a", "paths": ["x"], "intervall": 1}]},
        {"sources": [{"type": "file", "name": "a", "paths": []}]},
        {"sources": [{"type": "file", "name": "a b", "paths": ["x"]}]},
        {"sources": [{"type": "nonsense", "name": "a"}]},
        {"sources": [{"type": "file", "name": "a", "paths": ["x"]}] * 2},
        {"sources": [HARBOR]},
        {"sources": [HARBOR | {"password_env": "A", "password_file": "b"}]},
        {"sources": [HARBOR | {"password": "plain"}]},
        {"sources": [HARBOR | {"password_env": "A", "url": "https://user:word@harbor.example"}]},
        {"receiver": {"endpoints": []}},
        {"receiver": {"endpoints": [{"path": "/e"}]}},
        {"receiver": {"endpoints": [{"path": "/healthz", "token_env": "A"}]}},
        {"receiver": {"endpoints": [{"path": "/e", "token_env": "A"}] * 2}},
        {"receiver": {"listen": "nowhere", "endpoints": [{"path": "/e", "token_env": "A"}]}},
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, object]) -> None:
    """Unknown keys, missing or doubled names, paths and secrets are errors, not defaults."""
    with pytest.raises(ValidationError):
        CollectorConfig.model_validate(settings)


def test_a_missing_secret_names_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says whose secret is missing and where it was looked for."""
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(SecretMissingError, match=r"endpoint /e.*NOT_SET"):
        EndpointConfig(path="/e", token_env="NOT_SET").token()
    with pytest.raises(SecretMissingError, match=r"source h.*missing"):
        HarborSource.model_validate(HARBOR | {"password_file": str(tmp_path / "missing")}).password()


REMOTE: list[dict[str, object]] = [
    {"type": "objects", "name": "a", "folder": "/srv/trail", "by_day": True, "prefix": "AWSLogs/"},
    {"type": "s3", "name": "b", "bucket": "trail", "region": "eu-west-1"},
    {"type": "s3", "name": "c", "bucket": "trail", "region": "eu-west-1", "queue_url": "https://sqs.example/1/q"},
    {"type": "elasticsearch", "name": "d", "url": "https://logs.example:9200", "index": "filebeat-*", "field": ""},
    {"type": "dockerhub", "name": "e", "account": "example", "username": "example", "token_env": "A_TOKEN"},
    {"type": "quay", "name": "f", "url": "https://quay.example", "of": "organization/payments", "token_env": "A_TOKEN"},
    {"type": "kubernetes", "name": "g", "url": "http://127.0.0.1:1", "token_env": "A_TOKEN"},
]


def test_sources_that_are_asked_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each, with nothing but what each needs; no secret is in any repr."""
    monkeypatch.setenv("A_TOKEN", "the-secret")
    config = CollectorConfig.model_validate({"sources": REMOTE})
    made = feeds(config, lambda: [], CollectorTelemetry(CollectorRegistry()))
    assert [feed.source.name for feed in made] == list("abcdefg")
    assert "the-secret" not in repr(config) + repr(made) + config.model_dump_json()
    for feed in made:
        feed.source.stop()
        if hasattr(feed.source, "close"):
            feed.source.close()


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"folder": None}),
        (0, {"secret_key": "x"}),
        (1, {"bucket": "not/a/bucket"}),
        (1, {"endpoint_url": "https://user:word@s3.example"}),
        (3, {"index": "../_all"}),
        (3, {"username": "reader"}),
        (3, {"api_key_env": "A", "password_env": "B", "username": "reader"}),
        (3, {"password_env": "B"}),
        (4, {"token_file": "/x"}),
        (4, {"account": "../x"}),
        (5, {"of": "organization/../../superuser"}),
        (6, {"namespace": "a/b"}),
    ],
)
def test_what_cannot_be_meant_is_refused_there_too(number: int, change: dict[str, object]) -> None:
    """Paths inside of names, secrets in addresses, two secrets, and half of a pair."""
    with pytest.raises(ValidationError):
        CollectorConfig.model_validate({"sources": [REMOTE[number] | change]})


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp_header": "X-Time"},
        {"signed_id_header": "X-Id", "token_env": None, "hmac_secret_env": "A"},
        {"token_query": "token", "token_env": None, "hmac_secret_env": "A"},
        {"token_header": "not a header"},
    ],
)
def test_proofs_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    """A time that nothing signs protects nobody."""
    with pytest.raises(ValidationError):
        EndpointConfig.model_validate({"path": "/e", "token_env": "A"} | change)


def test_the_examples_of_the_docs_are_valid() -> None:
    """Every block of settings in docs/sources.md."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 9
    for block in blocks:
        CollectorConfig.model_validate(tomllib.loads(block)["collector"])
