"""The rule by which parts become one event."""

from __future__ import annotations

import itertools

from store.merge import merge


def test_the_most_trusted_part_that_says_something_gives_it(row):
    """Application before audit before notification before access, field by field, in whatever order they come."""
    parts = [
        row(1, channel="access", actor="d", status=200, uri="/v2/"),
        row(2, channel="notification", actor="c", digest="sha256:aa"),
        row(3, channel="audit", actor="b"),
        row(4, channel="application", actor=None, tag="v1"),
    ]
    for order in itertools.permutations(parts):
        event = merge(order)
        assert (event["actor"], event["digest"], event["tag"], event["uri"]) == ("b", "sha256:aa", "v1", "/v2/")
        assert (event["channel"], event["offset"]) == ("application", 400)
        assert (event["parts"], event["join_confidence"]) == (["s1:100", "s1:200", "s1:300", "s1:400"], "certain")


def test_the_same_line_read_twice_is_one_part(row):
    """Reading again adds nothing: not to the parts, not to the confidence; the first reading stands."""
    first, again = row(1), row(1) | {"read_at": row(9)["read_at"]}
    assert merge([again, first]) == first


def test_a_higher_revision_of_a_line_stands_before_the_lower(row):
    """What was improved later replaces what it says, and leaves the rest."""
    event = merge([row(1, actor="old", tag="v1"), row(1, actor="new", revision=2)])
    assert (event["actor"], event["tag"], event["revision"]) == ("new", "v1", 2)
