"""The catalogue names tests that exist, and the page shows what the last full run found."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from faults.catalogue import FAULTS
from faults.table import PAGE, ROOT, found_results, page


def test_every_fault_is_there_once() -> None:
    """F01 to F44, each with tests or with the reason why there is none."""
    assert [fault.id for fault in FAULTS] == [f"F{number:02}" for number in range(1, 45)]
    assert all(fault.tests or fault.not_covered for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_its_tests_exist(fault: object) -> None:
    """A test that was renamed must not stay in the table."""
    for test in fault.tests:  # type: ignore[attr-defined]
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test


def test_every_test_of_this_folder_is_in_the_catalogue() -> None:
    """What is not named is not run by `make faults`."""
    named = {test for fault in FAULTS for test in fault.tests}
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(
                "mark.fault" in ast.unparse(each) for each in node.decorator_list
            ):
                assert f"tests/faults/{path.name}::{node.name}" in named


def test_the_page_is_what_was_found() -> None:
    """`docs/reliability.md` holds the table of the last full run, as `faults.table` writes it."""
    assert PAGE.read_text() == page(PAGE.read_text(), *found_results())
