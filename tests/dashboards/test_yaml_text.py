"""Our YAML is read back as what was written."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.yaml_text import dump

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(texts, values, min_size=1, max_size=4))
def test_read_back(value):
    """Whatever the strings look like, a YAML reader gets the same values."""
    assert yaml.safe_load(dump(value, "a comment\nof two lines")) == value


def test_looks_as_people_write_it():
    """Blocks are indented, lists have dashes, strings are always quoted."""
    text = dump({"groups": [{"name": "on", "for": "5m", "rules": [], "more": ["a", {"b": 1}]}]}, "hello")
    assert text == (
        '# hello\ngroups:\n  - name: "on"\n    for: "5m"\n    rules: []\n    more:\n      - "a"\n      - b: 1\n'
    )
