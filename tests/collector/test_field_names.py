"""Which lines are looked at for names of fields."""

from __future__ import annotations

import pytest

from collector.field_names import MANY_BYTES, names_in


@pytest.mark.parametrize("count", [3, 1_000, 2 * MANY_BYTES // 20])
def test_lines_are_taken_from_all_over_a_block(count: int) -> None:
    """Whole ones, of a large block as of a small one, and no more than asked for."""
    made = [b'{"number":%d,"n%d":1}\n' % (n, n) for n in range(count)]
    places, at = {}, 0
    for number, line in enumerate(made):
        places[at] = number
        at += len(line)
    found = [(places[offset], names) for offset, names in names_in(b"".join(made), 32)]
    assert len(found) == min(32, count)
    assert all(names == {"number", f"n{number}"} for number, names in found)
    assert found[0][0] == 0 and found[-1][0] >= count * 0.9 - 1


def test_lines_that_reach_over_several_places_are_looked_at_once() -> None:
    long = b'{"text":"' + b"x" * (MANY_BYTES // 2) + b'"}'
    data = b"\n".join([long, b'{"short":1}', long, long, b'{"last":1}'])
    found = list(names_in(data, 32))
    assert len({offset for offset, _ in found}) == len(found)
    assert all(data[offset : offset + 2] == b'{"' for offset, _ in found)
    assert {name for _, names in found for name in names} == {"text", "short", "last"}
