"""What a user may set: unknown keys are refused, and a secret is named, never written or shown."""

from __future__ import annotations

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
