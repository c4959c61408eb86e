"""How the log looks: nothing of what a line says is lost, and foreign words do no harm."""

from __future__ import annotations

import logging

import pytest

from regsight.logs import Formatter, log_warnings


def formatted(name: str, message: str, **extra: object) -> str:
    record = logging.getLogger(name).makeRecord(name, logging.WARNING, "", 0, message, (), None, extra=extra)
    return Formatter("%(levelname)s %(message)s").format(record)


def test_particulars_stand_behind_the_sentence() -> None:
    line = formatted("collector.readers", "source failed", source="main", error="no answer", pause_seconds=1.5)
    assert line == 'WARNING source failed source=main error="no answer" pause_seconds=1.5'


def test_foreign_words_stay_in_their_line() -> None:
    """A file's name may hold a line end, a quote, an escape sequence."""
    line = formatted("collector.readers", "left out", path='a\n2026-11-28 ERROR "x" \x1b[31m')
    assert "\n" not in line and "\x1b" not in line
    assert line.startswith('WARNING left out path="') and '\\"x\\"' in line


def test_what_other_libraries_add_to_their_records_is_theirs() -> None:
    assert formatted("uvicorn.error", "started", color_message="[1mstarted") == "WARNING started"


def test_a_command_says_what_went_wrong_with_which_file(capsys: pytest.CaptureFixture[str]) -> None:
    log_warnings()
    record = logging.getLogger("store").makeRecord("store", logging.ERROR, "", 0, "cut", (), None, extra={"path": "/a"})
    assert logging.lastResort is not None
    logging.lastResort.handle(record)
    assert capsys.readouterr().err == "cut path=/a\n"
