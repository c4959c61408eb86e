"""HTTP answers told apart."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from alerts.errors import ChannelUnusable, NotSent, Refused
from alerts.post import post, retry_after

from .conftest import NOW, Receiver


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, NotSent) for status in (408, 429, 500, 503)),
        *((status, ChannelUnusable) for status in (301, 401, 403, 404)),
        *((status, Refused) for status in (400, 413, 422)),
    ],
)
def test_each_answer_has_its_consequence(receiver: Receiver, status: int, error: type[Exception]) -> None:
    """Come back later, repair the settings, or never."""
    receiver.answers = [(status, {})]
    with pytest.raises(error, match=str(status)) as caught:
        post(f"{receiver.url}/secret-path?token=x", b"{}", {}, NOW)
    assert "secret-path" not in str(caught.value) and "token" not in str(caught.value)


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds or a date; nonsense counts as not given."""
    assert retry_after("120", NOW) == 120
    assert retry_after(format_datetime(NOW + timedelta(minutes=2), usegmt=True), NOW) == 120
    assert retry_after(format_datetime(NOW - timedelta(minutes=2), usegmt=True), NOW) == 0
    assert retry_after("soon", NOW) is None
    assert retry_after(None, NOW) is None
