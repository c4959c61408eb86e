"""What is written, for whom, and that it is the same each time."""

from __future__ import annotations

import json
import logging

import yaml

from dashboards.board import Source
from dashboards.build import boards, build, left_out


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_written_and_returned(tmp_path):
    """The paths returned are the files written, with boards, provisioning, rules, runbook and the example."""
    written = build(tmp_path)
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {str(path.relative_to(tmp_path)) for path in written} == {
        *(f"dashboards/{board.uid}.json" for board in boards()),
        "prometheus.yml",
        "provisioning/dashboards/regsight.yml",
        "provisioning/datasources/regsight.yml",
        "rules/regsight-alerts.yml",
        "rules/regsight-recording.yml",
        "rules/tests/regsight-alerts.yml",
        "rules/tests/regsight-days.yml",
        "rules/tests/regsight-hours.yml",
        "runbooks/alerts.md",
    }


def test_same_bytes_each_time(tmp_path):
    """A second build changes nothing."""
    build(tmp_path)
    first = contents(tmp_path)
    build(tmp_path)
    assert contents(tmp_path) == first


def test_boards_refer_to_the_provisioned_data_sources(tmp_path):
    """Every uid in a board is one that the provisioning gives, with the address that was asked for."""
    build(tmp_path, prometheus_url="http://prom:1", elasticsearch_url="https://es:2", namespace="prod")
    sources = yaml.safe_load((tmp_path / "provisioning/datasources/regsight.yml").read_text())["datasources"]
    assert {one["uid"]: (one["type"], one["url"]) for one in sources} == {
        "regsight-prometheus": ("prometheus", "http://prom:1"),
        "regsight-elasticsearch": ("elasticsearch", "https://es:2"),
    }
    elastic = next(one for one in sources if one["type"] == "elasticsearch")
    assert elastic["jsonData"]["index"] == "regsight-events-prod"
    assert elastic["jsonData"]["timeField"] == "@timestamp"


def test_grafana_finds_the_boards(tmp_path):
    """The provider's path is the folder of the boards; a `$` in it is not taken for a variable."""
    out = tmp_path / "a$HOME"
    build(out)
    provider = yaml.safe_load((out / "provisioning/dashboards/regsight.yml").read_text())["providers"][0]
    assert provider["options"]["path"] == str(out / "dashboards").replace("$", "$$")
    assert provider["allowUiUpdates"] is False


def test_password_in_url_is_not_written(tmp_path):
    """Credentials of an address end in Grafana's environment, not in a file."""
    build(tmp_path, elasticsearch_url="https://reader:s3cret@es:9200")
    assert not [name for name, text in contents(tmp_path).items() if b"s3cret" in text]
    sources = yaml.safe_load((tmp_path / "provisioning/datasources/regsight.yml").read_text())["datasources"]
    elastic = next(one for one in sources if one["type"] == "elasticsearch")
    assert (elastic["url"], elastic["basicAuthUser"]) == ("https://es:9200", "reader")
    assert elastic["secureJsonData"] == {"basicAuthPassword": "$REGSIGHT_ES_PASSWORD"}


def test_absent_elasticsearch_leaves_its_panels_out_and_says_so(tmp_path, caplog):
    """Boards stay, without panels and lists that would ask Elasticsearch; the log names each."""
    with caplog.at_level(logging.WARNING):
        build(tmp_path, elasticsearch=False)
    for path in (tmp_path / "dashboards").glob("*.json"):
        assert "elasticsearch" not in path.read_text()
    said = [record.left_out for record in caplog.records]
    assert "panel 'Top repositories' of board 'Regsight: overview' (elasticsearch)" in said
    assert said == left_out([Source.PROMETHEUS])
    assert "elasticsearch" not in (tmp_path / "provisioning/datasources/regsight.yml").read_text()


def test_absent_prometheus_leaves_a_whole_board_and_the_rules_out(tmp_path, caplog):
    """A board without a single panel left is not written, and what an earlier build wrote is removed."""
    build(tmp_path, grafana_alerts=True)
    with caplog.at_level(logging.WARNING):
        build(tmp_path, prometheus=False)
    assert set(contents(tmp_path)) == {
        *(f"dashboards/{board.uid}.json" for board in boards() if board.panels([Source.ELASTICSEARCH])),
        "provisioning/dashboards/regsight.yml",
        "provisioning/datasources/regsight.yml",
    }
    assert "board 'Regsight: collector health'" in [record.left_out for record in caplog.records]
    panels = json.loads((tmp_path / "dashboards/regsight-overview.json").read_text())["panels"]
    assert {panel["datasource"]["type"] for panel in panels if panel["type"] != "row"} == {"elasticsearch"}


def test_grafana_alerts_only_if_asked_for(tmp_path):
    """Grafana's own rules beside those of Prometheus would tell everybody twice: a build without them takes them away."""
    build(tmp_path, grafana_alerts=True)
    assert (tmp_path / "provisioning/alerting/regsight.yml").exists()
    build(tmp_path)
    assert not (tmp_path / "provisioning/alerting/regsight.yml").exists()


def test_links_lead_to_the_page(tmp_path):
    """With the page's address every panel's link to events goes there, with the time range and the page's own filters."""
    build(tmp_path, page_url="https://regsight.example.org/")
    for path in (tmp_path / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                events = next(link["url"] for link in panel["links"] if link["title"] == "Events")
                assert events.startswith(
                    "https://regsight.example.org/events?since=${__from:date:iso}&until=${__to:date:iso}"
                )
    overview = json.loads((tmp_path / "dashboards/regsight-overview.json").read_text())["panels"]
    (pulls,) = [panel for panel in overview if panel["title"] == "Pulls"]
    assert pulls["links"][1]["url"].endswith("&action=pull")
    repository = json.loads((tmp_path / "dashboards/regsight-repositories.json").read_text())["panels"][1]
    assert repository["links"][1]["url"].endswith("&repository=${repository:percentencode}")


def test_files_of_others_stay(tmp_path):
    """Only files of an earlier build are ever removed."""
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "mine.json").write_text("{}")
    build(tmp_path, prometheus=False, elasticsearch=False)
    assert set(contents(tmp_path)) == {"dashboards/mine.json"}
