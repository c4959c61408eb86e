"""What runs out, and when: against stores whose growth is known."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from made_traffic import START, Made
from prometheus_client import CollectorRegistry

from analytics import certificate
from analytics.exhaustion import watch_exhaustion
from analytics.forecast import Forecast
from analytics.forecasts import forecasts
from analytics.limits import Limit
from analytics.pull_forecasts import demand
from analytics.telemetry import AnalyticsTelemetry
from store.contract import Store
from store.event import schema
from store.finding import Severity
from store.locate import open_store

GIB = 1 << 30
DAYS = 28
NOW = START + timedelta(days=DAYS, hours=6)
DAY = timedelta(days=1)


@pytest.fixture(params=["delta", pytest.param("elastic", marks=pytest.mark.external_service)])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Made], Store]]:
    opened: list[Store] = []

    def fill(made: Made) -> Store:
        if request.param == "delta":
            opened.append(made.store(tmp_path / "store"))
        else:
            url = f"{request.getfixturevalue('elasticsearch_url')}?namespace=f{id(made)}"
            opened.append(open_store(url))
            opened[-1].commit(pa.Table.from_pylist(list(made.events), schema=schema()), [])
        return opened[-1]

    yield fill
    for store in opened:
        store.close()


def growing(gib_a_day: float = 1.0) -> Made:
    """One layer a day into shop/a, one half as large into data/b; pulls of shop/a rise by one a day."""
    made = Made()
    for day in range(DAYS):
        at = START + timedelta(days=day, hours=12)
        who = {"actor": "ci", "client_ip": "10.0.0.1", "status": 201}
        made.add(at, "layer_upload", repository="shop/a", request_bytes=int(gib_a_day * GIB), **who)
        made.add(at, "layer_upload", repository="data/b", request_bytes=int(gib_a_day * GIB) // 2, **who)
        made.add(at, "layer_upload", "failure", repository="shop/a", request_bytes=100 * GIB, **who)
        for number in range(10 + day):
            made.pull(at + timedelta(seconds=number), "node", "10.0.0.2", "shop/a")
    made.pull(NOW - timedelta(minutes=1), "node", "10.0.0.2", "shop/a")
    return made


def named(made: list[Forecast], subject: str) -> Forecast:
    return next(one for one in made if one.subject == subject)


def test_storage_of_a_registry_and_of_a_project(filled: Callable[[Made], Store]) -> None:
    """1.5 GiB a day into 100 GiB of which 10 were used 28 days ago: 32 days are left; shop alone grows by 1 GiB a day."""
    limits = [
        Limit(name="registry", kind="storage", bytes=100 * GIB, used=10 * GIB, since=START),
        Limit(name="shop", kind="storage", bytes=38 * GIB, used=0, since=START, project="shop"),
    ]
    made = forecasts(filled(growing()), limits, NOW)
    whole, shop = named(made, "registry"), named(made, "shop")
    assert whole.now == 52 * GIB
    assert whole.per_day == pytest.approx(1.5 * GIB)
    assert whole.exhausted_at is not None
    assert abs(whole.exhausted_at - (NOW + 32 * DAY)) < timedelta(minutes=1)
    assert shop.exhausted_at is not None
    assert abs(shop.exhausted_at - (NOW + 10 * DAY)) < timedelta(minutes=1)
    assert [one.subject for one in made if one.exhausted_at][:2] == ["shop", "registry"]


def test_rate_limits_by_trend_and_by_pace(filled: Callable[[Made], Store]) -> None:
    """Peaks that rise by one a day reach 47 in about ten days; forty pulls within the hour reach 60 in half an hour."""
    made = growing()
    limit = Limit(name="hub", kind="pulls", pulls=47, per=timedelta(hours=6), actor="node")
    other = Limit(name="nobody", kind="pulls", pulls=47, actor="ghost")
    store = filled(made)
    slow = named(forecasts(store, [limit, other], NOW), "hub")
    assert slow.now == 1
    assert slow.per_day == pytest.approx(1.0, abs=0.05)
    assert slow.exhausted_at is not None
    assert 8 * DAY < slow.exhausted_at - NOW < 13 * DAY
    assert named(forecasts(store, [other], NOW), "nobody").exhausted_at is None
    burst = Made()
    burst.events = list(made.events)
    for number in range(40):
        burst.pull(NOW - timedelta(minutes=30) + timedelta(seconds=number), "node", "10.0.0.2", "shop/a")
    store.commit(pa.Table.from_pylist(list(burst.events[len(made.events) :]), schema=schema()), [])
    fast = named(forecasts(store, [Limit(name="hub", kind="pulls", pulls=60, actor="node")], NOW), "hub")
    assert fast.now == 41
    assert fast.method == "pace of the last hour"
    assert fast.exhausted_at is not None
    assert timedelta(minutes=20) < fast.exhausted_at - NOW < timedelta(minutes=35)


def test_a_quota_is_read_from_the_warning(filled: Callable[[Made], Store]) -> None:
    """Harbor's warning tells used and limit; what was pushed after it is added."""
    made = growing()
    made.add(
        START + timedelta(days=20),
        "other",
        reason="quota_warning",
        repository="shop/a",
        error_message="quota usage reach 85%: resource storage used 17 GiB of 30.0 GiB",
    )
    quota = named(forecasts(filled(made), [], NOW), "quota of shop")
    assert (quota.now, quota.limit) == (25 * GIB, 30 * GIB)
    assert quota.exhausted_at is not None
    assert abs(quota.exhausted_at - (NOW + 5 * DAY)) < timedelta(minutes=1)


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    """Three days are not enough; used space that nobody gave, a token that nobody saw made, a file that is no certificate."""
    made = Made()
    for day in range(3):
        made.add(START + day * DAY, "push", repository="a/b", request_bytes=GIB)
    store = made.store(tmp_path / "s")
    (tmp_path / "x.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    limits = [
        Limit(name="few", kind="storage", bytes=10 * GIB, used=GIB, since=START),
        Limit(name="unknown", kind="storage", bytes=10 * GIB),
        Limit(name="token", kind="token", actor="robot$x", valid=90 * DAY),
        Limit(name="broken", kind="certificate", path=tmp_path / "x.pem"),
        Limit(name="gone", kind="disk", path=tmp_path / "nowhere"),
    ]
    made_of = forecasts(store, limits, START + 3 * DAY)
    assert all(named(made_of, limit.name).exhausted_at is None for limit in limits)
    assert named(made_of, "few").note == "not enough data"
    assert "set `used`" in named(made_of, "unknown").note
    assert "set `since`" in named(made_of, "token").note
    assert "x.pem" in named(made_of, "broken").note
    assert named(made_of, "disk of Regsight's store").note == "not enough data"
    store.close()


def test_a_token_is_as_old_as_its_last_creation(tmp_path: Path) -> None:
    """Made anew on the tenth day and valid for 30: it ends on the fortieth."""
    made = Made()
    for day in (1, 10):
        made.add(START + day * DAY, "permission", actor="admin", target="robot$ci", change="robot_created")
    made.add(START + 12 * DAY, "permission", actor="admin", target="robot$other", change="robot_created")
    store = made.store(tmp_path / "s")
    (token, _) = forecasts(store, [Limit(name="t", kind="token", actor="robot$ci", valid=30 * DAY)], START + 20 * DAY)
    assert token.exhausted_at == START + 40 * DAY
    assert token.now == 10
    store.close()


def test_the_date_of_a_certificate(tmp_path: Path) -> None:
    """Of a file and of a server, expired or not, as cryptography wrote it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    for end in (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2061, 5, 6, 7, 8, 9, tzinfo=UTC)):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry.example")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(7).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(end)
        pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        path = tmp_path / "cert.pem"
        path.write_bytes(b"# a comment\n" + pem)
        assert certificate.of_file(path) == end
    with pytest.raises(ValueError, match="certificate"):
        certificate.ends(ssl.PEM_cert_to_DER_cert(pem.decode())[:40])


def test_where_pulls_are_going(tmp_path: Path) -> None:
    """One more each day, of the one repository that is pulled."""
    store = growing().store(tmp_path / "s")
    (shop,) = demand(store, NOW)
    assert (shop.repository, shop.trend is not None) == ("shop/a", True)
    assert shop.trend is not None
    assert shop.trend.slope == pytest.approx(1.0)
    store.close()


def test_it_is_told_once_and_with_hysteresis(tmp_path: Path) -> None:
    """Eight days: nothing. Six: medium. Eight again: still the same finding. Half a day: high, the same id. Twenty: over;
    then six: a new one."""
    store = open_store(f"delta:{tmp_path}/s")
    registry = CollectorRegistry()
    ids = []
    now = START
    for days in (8.0, 6.0, 8.0, 6.5, 0.5, 20.0, 6.0):
        now += timedelta(hours=1)
        one = Forecast(subject="disk", kind="disk", unit="bytes", now=1, limit=2, exhausted_at=now + days * DAY)
        watch_exhaustion(store, [one], now, AnalyticsTelemetry(CollectorRegistry()))
        ids.append(sorted((f.id, f.severity) for f in store.findings()))
    assert ids[0] == []
    (first,) = ids[1]
    assert first[1] is Severity.MEDIUM
    assert ids[2] == ids[3] == [first]
    assert ids[4] == ids[5] == [(first[0], Severity.HIGH)]
    assert len(ids[6]) == 2
    watch_exhaustion(store, [one], now, AnalyticsTelemetry(registry))
    left = registry.get_sample_value("regsight_analytics_exhaustion_seconds", {"limit": "disk"})
    assert left == pytest.approx(6 * 86400)
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pulls"},
        {"kind": "storage"},
        {"kind": "certificate"},
        {"kind": "token", "valid": "90d"},
        {"kind": "storage", "bytes": "10 potatoes"},
    ],
)
def test_a_limit_without_its_figures_is_refused(wrong: dict[str, object]) -> None:
    """The message names the limit or what is wrong with the figure."""
    with pytest.raises(ValueError, match=r"needs|no size"):
        Limit.model_validate({"name": "x", **wrong})


def test_sizes_and_days_as_people_write_them() -> None:
    """`500 GiB`, and a day without a time, as TOML gives it."""
    limit = Limit.model_validate({"name": "x", "kind": "storage", "bytes": "500 GiB", "since": START.date()})
    assert (limit.bytes, limit.since) == (500 * GIB, START)
