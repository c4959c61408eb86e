"""Rules of the user's own, their samples, and Sigma as a way in and out."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from sigma.collection import SigmaCollection

from analytics.config import AnalyticsConfig
from analytics.detectors.rules import Rules, suspicion
from analytics.jobs import prepare
from analytics.rules.from_sigma import NotOurs, rules_of
from analytics.rules.load import PACK, WrongRule, in_force, pack
from analytics.rules.match import Match
from analytics.rules.model import Rule
from analytics.rules.samples import try_rule
from analytics.rules.to_sigma import NotInSigma, documents
from analytics.rules.write import as_toml, data_of

MASS_DELETE = (PACK / "mass_delete.toml").read_text()
# Kinds that hold events against others or the past; Sigma has no words for them.
NOT_IN_SIGMA = {"new_term", "change", "spike", "spike_aggregation", "flatline", "percentage_match", "absence"}


def test_a_rule_is_tried_on_its_samples() -> None:
    """The pack passes; a bound that its sample does not reach, and one that is too low, are told apart."""
    rules = {rule.id: rule for rule in pack()}
    assert all(rule.samples is not None and try_rule(rule) == [] for rule in rules.values())
    rule = rules["mass_delete"]
    deaf = rule.model_copy(update={"when": rule.when.model_copy(update={"count": 500})})
    assert try_rule(deaf) == ["samples.fires: the rule stays silent"]
    jumpy = try_rule(rule.model_copy(update={"when": rule.when.model_copy(update={"count": 5})}))
    assert jumpy and all(said.startswith("samples.silent: the rule fires: ann deleted") for said in jumpy)


def test_own_rules_are_added_replace_ours_and_are_switched_off(tmp_path: Path) -> None:
    own = MASS_DELETE.replace("count = 30", "count = 7")
    (tmp_path / "mass_delete.toml").write_text(own)
    (tmp_path / "ours_alone.toml").write_text(own.replace('id = "mass_delete"', 'id = "ours_alone"'))
    config = AnalyticsConfig(rules_folder=tmp_path, rules_off=("tag_flapping",))
    (detector,) = prepare([Rules()], config)
    assert isinstance(detector, Rules)
    rules = {rule.id: rule for rule in detector.rules}
    assert rules["mass_delete"].when.count == 7
    assert rules.keys() == {rule.id for rule in pack()} - {"tag_flapping"} | {"ours_alone"}
    assert {rule.id for rule in prepare([Rules()], AnalyticsConfig())[0].rules} == {rule.id for rule in pack()}  # type: ignore[attr-defined]


def test_a_wrong_folder_or_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mass_delete.toml").write_text(MASS_DELETE.replace('kind = "frequency"', 'kind = "often"'))
    with pytest.raises(WrongRule, match=r"mass_delete\.toml:3: kind"):
        in_force(tmp_path)
    with pytest.raises(WrongRule, match="no folder"):
        in_force(tmp_path / "nowhere")
    with pytest.raises(WrongRule, match="did you mean 'mass_delete'"):
        in_force(None, ("mass_delet",))


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.id)
def test_what_is_written_is_read_again(rule: Rule) -> None:
    data = data_of(rule)
    assert Rule.model_validate(tomllib.loads(as_toml(data))) == rule.model_copy(update={"samples": None})


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.id)
def test_through_sigma_and_back(rule: Rule) -> None:
    """pySigma accepts what is exported, and what comes back does on the samples what the original did."""
    try:
        text = yaml.safe_dump_all(documents(rule), sort_keys=False, allow_unicode=True)
    except NotInSigma:
        assert rule.kind in NOT_IN_SIGMA or rule.when.fresh
        return
    assert not SigmaCollection.from_yaml(text).errors
    (data,) = rules_of(text)
    again = Rule.model_validate(data | {"samples": rule.samples})
    assert (again.id, again.severity, again.attack) == (rule.id, rule.severity, rule.attack)
    assert try_rule(again) == []


WEB = """
title: Path Traversal
id: 7745c2ea-24a5-4290-b680-04359cb84b35
description: Somebody climbs out of the web server's folder
logsource: {category: webserver}
detection:
  selection:
    cs-method: GET
    cs-uri-query|contains: ['../../', '%2e%2e%2f']
    sc-status|gte: 200
  filter: {c-ip|cidr: 10.0.0.0/8}
  condition: selection and not filter
level: medium
tags: [attack.initial-access, attack.t1190]
"""


def test_a_rule_about_web_servers_becomes_one_of_ours() -> None:
    """Compared without regard to case, as Sigma means it, and only where the filter does not hold."""
    (data,) = rules_of(WEB)
    hit = {"at": 0, "action": "other", "client": "203.0.113.9", "method": "get", "uri": "/a?%2E%2E%2f", "status": 200}
    inside = hit | {"client": "10.1.2.3"}
    early = hit | {"status": 101}
    samples = {"fires": [hit], "silent": [inside, early, hit | {"uri": "/a"}]}
    rule = Rule.model_validate(tomllib.loads(as_toml(data)) | {"samples": samples})
    assert (rule.id, rule.severity, rule.attack) == ("path_traversal", "medium", ("T1190",))
    assert try_rule(rule) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{category: webserver}", "{product: windows}", "about other logs"),
        ("cs-method: GET", "Image: x.exe", "no field 'Image'"),
        ("condition: selection and not filter", "condition: nothing_there", "nothing_there"),
        ("title: Path Traversal", "}{", "no Sigma rule|YAML|yaml"),
    ],
)
def test_what_is_not_ours_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(NotOurs, match=says):
        rules_of(WEB.replace(old, new))


def test_a_rule_of_ones_own_names_its_own_runbook() -> None:
    """Its findings lead where the file says, and nowhere if it says nothing; ours lead to our pages."""
    (ours,) = (rule for rule in pack() if rule.id == "mass_delete")
    at = datetime(2026, 11, 24, tzinfo=UTC)
    events = [{"event_id": "e", "timestamp": at, "actor": "ann", "client_ip": "192.0.2.7", "repository": "shop/api"}]
    told = {}
    for id, runbook in (("mass_delete", ""), ("our_own", ""), ("our_own", "https://wiki.example.org/7")):
        rule = ours.model_copy(update={"id": id, "runbook": runbook})
        match = Match(rule=rule, at=at, key=("ann",), events=events, count=1)
        told[id, runbook] = suspicion(match).runbook
    assert list(told.values()) == [None, "", "https://wiki.example.org/7"]
    assert tomllib.loads(as_toml(data_of(rule)))["runbook"] == "https://wiki.example.org/7"
