from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from regsight.config import ConfigError, load


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "regsight.toml"
    path.write_text(text)
    return path


def test_defaults_are_useful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any file the store is embedded and the page on loopback."""
    monkeypatch.chdir(tmp_path)
    settings = load(environ={})
    assert settings.store.url == "delta:./regsight-data"
    assert settings.web.listen.startswith("127.0.0.1:")


def test_unknown_key_names_file_line_and_nearest(tmp_path: Path) -> None:
    """A misspelt key is refused with file, line and the nearest valid key."""
    path = written(tmp_path, '[store]\nurl = "delta:./x"\n\n[web]\nlisten = "127.0.0.1:1"\nlisteen = "x"\n')
    with pytest.raises(ConfigError) as refused:
        load(path, environ={})
    assert f"{path}:6" in str(refused.value)
    assert "'listeen'" in str(refused.value)
    assert "did you mean 'listen'" in str(refused.value)


def test_unknown_section_is_named(tmp_path: Path) -> None:
    """A misspelt section is refused with its line."""
    path = written(tmp_path, "[stroe]\nurl = 'x'\n")
    with pytest.raises(
        ConfigError, match=r"regsight\.toml:1: unknown key 'stroe' at the top level, did you mean 'store'"
    ):
        load(path, environ={})


def test_unknown_key_in_second_source(tmp_path: Path) -> None:
    """In a list of tables the line is that of the right entry."""
    path = written(
        tmp_path,
        '[[collector.sources]]\ntype = "file"\nname = "a"\npaths = ["a.log"]\n\n'
        '[[collector.sources]]\ntype = "file"\nname = "b"\npath = ["b.log"]\n',
    )
    with pytest.raises(ConfigError) as refused:
        load(path, environ={})
    assert f"{path}:9" in str(refused.value)
    assert "did you mean 'paths'" in str(refused.value)


def test_environment_wins_over_file_and_option_over_both(tmp_path: Path) -> None:
    """REGSIGHT__STORE__URL replaces the file's value, `--store` replaces both."""
    path = written(tmp_path, '[store]\nurl = "delta:./file"\nkeep = "90d"\n')
    environ = {"REGSIGHT__STORE__URL": "delta:./environment", "REGSIGHT__STORE__KEEP": "7d"}
    assert load(path, environ=environ).store.url == "delta:./environment"
    assert load(path, environ=environ).store.keep == timedelta(days=7)
    assert load(path, environ=environ, store_url="delta:./option").store.url == "delta:./option"


def test_wrong_value_says_how_to_write_it(tmp_path: Path) -> None:
    """A duration that is none says what a duration looks like."""
    path = written(tmp_path, '[store]\nkeep = "a while"\n')
    with pytest.raises(ConfigError, match=r"regsight\.toml:2.*write a number and one of s, m, h, d, w"):
        load(path, environ={})


def test_broken_toml_and_missing_file(tmp_path: Path) -> None:
    """What is no TOML, and what is not there, is one clear message."""
    with pytest.raises(ConfigError, match="line 1"):
        load(written(tmp_path, "[store\n"), environ={})
    with pytest.raises(ConfigError, match="cannot read the settings file"):
        load(tmp_path / "absent.toml", environ={})
