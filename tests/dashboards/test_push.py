"""Boards brought into a Grafana by its HTTP API.

No Grafana runs here: a small server answers as the API's documentation says (folders, boards with versions and 412, data
sources, 401 for a wrong token). What a real Grafana does beyond that is not seen by these tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers.json_api import json_api

from dashboards.board import Source
from dashboards.build import rendered
from dashboards.grafana_api import Grafana, GrafanaError
from dashboards.push import State, changes, push, renamed_sources

ROOT = Path(__file__).parents[2]
TOKEN = "glsa_0123456789"
UIDS = sorted(rendered(list(Source)))


class DocumentedGrafana:
    """What the documentation of Grafana 11 says of the few requests that a push makes."""

    def __init__(self):
        self.folders, self.boards, self.sources = {}, {}, {source.uid for source in Source}
        self.provisioned = set()
        self.may_read_sources = True
        self.before_save = lambda: None

    def __call__(self, asked):
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        part = asked.path.rpartition("/")[2]
        if asked.path.startswith("/api/datasources/uid/"):
            if not self.may_read_sources:
                return 403, {"message": "You'll need additional permissions"}
            return (200, {"uid": part}) if part in self.sources else (404, {"message": "Data source not found"})
        if asked.path.startswith("/api/folders"):
            return self.folder(asked, part)
        if asked.path.startswith("/api/dashboards/uid/"):
            return self.read(part)
        if (asked.method, asked.path) == ("POST", "/api/dashboards/db"):
            self.before_save()
            return self.save(asked.body)
        return 404, {"message": "Not found"}

    def folder(self, asked, uid):
        if asked.method == "GET":
            return (200, {"uid": uid}) if uid in self.folders else (404, {"message": "folder not found"})
        if asked.body["uid"] in self.folders:
            return 409, {"message": "a folder with the same name already exists"}
        self.folders[asked.body["uid"]] = asked.body["title"]
        return 200, asked.body

    def read(self, uid):
        if uid not in self.boards:
            return 404, {"message": "Dashboard not found"}
        board, folder = self.boards[uid]
        return 200, {"dashboard": board, "meta": {"folderUid": folder, "provisioned": uid in self.provisioned}}

    def save(self, body):
        board, uid = body["dashboard"], body["dashboard"]["uid"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        there = self.boards.get(uid, (None,))[0]
        if there is None and board["id"] is not None:
            return 404, {"message": "Dashboard not found"}
        if (
            there is not None
            and not body["overwrite"]
            and (board["id"], board["version"]) != (there["id"], there["version"])
        ):
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        version = 1 if there is None else there["version"] + 1
        number = len(self.boards) + 1 if there is None else there["id"]
        self.boards[uid] = ({**board, "id": number, "version": version}, body["folderUid"])
        return 200, {"id": number, "uid": uid, "version": version, "status": "success"}


@pytest.fixture
def server():
    grafana = DocumentedGrafana()
    with json_api(grafana) as api:
        api.grafana = grafana
        yield api


@pytest.fixture
def client(server):
    client = Grafana(server.url, TOKEN)
    yield client
    client.close()


def boards():
    return list(rendered(list(Source)).values())


def states(client):
    return {change.state for change in changes(client, boards())}


def test_first_push_makes_folder_and_boards(server, client):
    """Everything is new, lands in the folder, and is what was built."""
    assert {state for _, state, _ in push(client, changes(client, boards()))} == {State.NEW}
    assert server.grafana.folders == {"regsight": "Regsight"}
    assert sorted(server.grafana.boards) == UIDS
    for board in boards():
        there, folder = server.grafana.boards[board["uid"]]
        assert (there["panels"], folder) == (board["panels"], "regsight")


def test_second_push_writes_nothing(server, client):
    """Pushing what is there already asks, and does not save."""
    list(push(client, changes(client, boards())))
    before = len([asked for asked in server.asked if asked.method == "POST"])
    assert {(state, version) for _, state, version in push(client, changes(client, boards()))} == {(State.SAME, 0)}
    assert len([asked for asked in server.asked if asked.method == "POST"]) == before


def test_changed_board_is_found_shown_and_put_right(server, client):
    """A title changed in Grafana is one line of the diff, and only that board gets a new version."""
    list(push(client, changes(client, boards())))
    server.grafana.boards["regsight-overview"][0]["title"] = "Mine \x1b[31m"
    found = {change.uid: change for change in changes(client, boards())}
    assert {uid for uid, change in found.items() if change.state is State.DIFFERENT} == {"regsight-overview"}
    lines = list(found["regsight-overview"].lines())
    assert '-  "title": "Mine \\u001b[31m",' in lines
    assert '+  "title": "Regsight: overview",' in lines
    assert all(line.isprintable() for line in lines)
    done = {uid: (state, version) for uid, state, version in push(client, list(found.values()))}
    assert done.pop("regsight-overview") == (State.DIFFERENT, 2)
    assert set(done.values()) == {(State.SAME, 0)}
    assert states(client) == {State.SAME}


def test_board_in_another_folder_is_moved(server, client):
    """The same board elsewhere is a difference, in words."""
    list(push(client, changes(client, boards())))
    board, _ = server.grafana.boards["regsight-actors"]
    server.grafana.boards["regsight-actors"] = (board, "")
    (moved,) = [change for change in changes(client, boards()) if change.state is State.DIFFERENT]
    assert list(moved.lines()) == ['# regsight-actors: moves from folder "" to "regsight"']
    list(push(client, [moved]))
    assert server.grafana.boards["regsight-actors"][1] == "regsight"


def test_change_in_between_is_not_overwritten(server, client):
    """Somebody saves the board between our reading and our writing: theirs stays, and we say so."""
    list(push(client, changes(client, boards())))
    theirs = server.grafana.boards["regsight-overview"][0]
    theirs["title"] = "first"
    planned = [change for change in changes(client, boards()) if change.uid == "regsight-overview"]
    server.grafana.before_save = lambda: theirs.update(title="second", version=7)
    with pytest.raises(
        GrafanaError, match="regsight-overview was not saved: The dashboard has been changed by someone"
    ):
        list(push(client, planned))
    assert server.grafana.boards["regsight-overview"][0]["title"] == "second"


def test_boards_from_files_are_left_alone(server, client):
    """A provisioned board that differs is refused before anything is written; one that is the same is no problem."""
    list(push(client, changes(client, boards())))
    server.grafana.provisioned = set(UIDS)
    list(push(client, changes(client, boards())))
    server.grafana.boards["regsight-security"][0]["refresh"] = "5s"
    server.grafana.boards.pop("regsight-actors")
    with pytest.raises(GrafanaError, match="provisioned from files, and changed only there: regsight-security"):
        list(push(client, changes(client, boards())))
    assert "regsight-actors" not in server.grafana.boards


def test_folder_made_by_somebody_else_meanwhile(server, client):
    """409 on making the folder is as good as having made it."""
    planned = changes(client, boards()[:1])
    client.has_folder = lambda uid: False
    server.grafana.folders["regsight"] = "Regsight"
    assert len(list(push(client, planned))) == 1


def test_data_sources_of_that_grafana(server, client):
    """The uids of another Grafana's data sources replace ours everywhere, in links to Explore too."""
    uids = {Source.PROMETHEUS: "prom-7", Source.ELASTICSEARCH: "es-7"}
    for board in boards():
        text = json.dumps(renamed_sources(board, uids))
        assert "regsight-prometheus" not in text
        assert "regsight-elasticsearch" not in text
        assert board["uid"] in text


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, "Redirects are not followed"),
        (403, {}, "needs the role Editor"),
        (500, {}, "answers 500"),
    ],
)
def test_refusals_are_in_words(server, client, status, headers, said):
    """What went wrong and what to look at; the token is in no message."""
    server.refusals.append((status, headers))
    with pytest.raises(GrafanaError, match=said) as failed:
        changes(client, boards())
    assert TOKEN not in str(failed.value)


def test_wrong_token_and_no_server(server):
    """401 says which thing to look at; a closed port is an error in words."""
    with pytest.raises(GrafanaError, match="is the token right"):
        changes(Grafana(server.url, "other"), boards())
    with pytest.raises(GrafanaError, match="cannot be reached"):
        changes(Grafana("http://127.0.0.1:1", TOKEN), boards())


@pytest.mark.parametrize("url", ["grafana:3000", "http://u:p@host", "http://", "file:///etc", "http://h/?x=1"])
def test_addresses_that_are_none(url):
    """An address without a scheme, or with a password in it, is refused without being shown."""
    with pytest.raises(GrafanaError, match="the address of Grafana is"):
        Grafana(url, TOKEN)


@pytest.mark.parametrize("token", ["", "a\nb", "ä"])
def test_tokens_that_are_none(token):
    """A line end in a token would become a header of its own."""
    with pytest.raises(GrafanaError, match="the token is empty, or"):
        Grafana("http://localhost:3000", token)


def regsight(*arguments, token=TOKEN):
    environment = {"PATH": "/usr/bin:/bin", "REGSIGHT_GRAFANA_TOKEN": token}
    return subprocess.run(
        [sys.executable, "-m", "regsight", "dashboards", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_command_line(server, tmp_path):
    """dry run, push, diff: what is said, and the exit codes."""
    dry = regsight("push", "--url", server.url, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "regsight-overview: new" in dry.stderr
    assert not server.grafana.boards
    assert regsight("diff", "--url", server.url).returncode == 3
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    done = regsight("push", "--url", server.url, "--token-file", str(tmp_path / "token"), token="")
    assert done.returncode == 0, done.stderr
    assert "regsight-overview: new, now version 1" in done.stderr
    told = regsight("diff", "--url", server.url, "--json")
    assert told.returncode == 0
    assert {board["state"] for board in json.loads(told.stdout)["boards"]} == {"same"}
    server.grafana.boards["regsight-overview"][0]["refresh"] = "5s"
    shown = regsight("diff", "--url", server.url)
    assert shown.returncode == 3
    assert '-  "refresh": "5s",' in shown.stdout


def test_command_line_without_what_it_needs(server):
    """No token, no data source: exit code 2 and a sentence; a token that may not look at data sources is good enough."""
    missing = regsight("push", "--url", server.url, token="")
    assert (missing.returncode, "no token: --token-file" in missing.stderr) == (2, True)
    server.grafana.sources = {"regsight-prometheus"}
    unknown = regsight("push", "--url", server.url, "--dry-run")
    assert unknown.returncode == 2
    assert "no data source regsight-elasticsearch in that Grafana" in unknown.stderr
    assert regsight("push", "--url", server.url, "--elasticsearch-uid", "").returncode == 0
    assert "regsight-repositories" not in server.grafana.boards
    server.grafana.may_read_sources = False
    assert regsight("push", "--url", server.url).returncode == 0
