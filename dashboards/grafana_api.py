"""Grafana's HTTP API, as far as boards need it: a folder, the boards in it, and whether a data source is there.

Written to the documented API (Folder, Dashboard and Data source HTTP API of Grafana 11).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dashboards.connections import connections

_READ_SECONDS = 30.0
_SHOWN = 200


class GrafanaError(OSError):
    """Grafana did not do what was asked; the message says what it answered, and what to look at."""


class Grafana:
    """One Grafana at `url` (with its sub-path, if it has one), asked with a service account's token.

    Redirects are not followed: they would carry the token elsewhere.
    """

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise GrafanaError("the address of Grafana is http(s)://host[:port][/path], without a password in it")
        if not token or not token.isascii() or not token.isprintable():
            raise GrafanaError("the token is empty, or holds characters that no token has")
        self._url = url.rstrip("/")
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "regsight",
        }
        self._http = connections(_READ_SECONDS, ca_file)

    def close(self) -> None:
        self._http.clear()

    def board(self, uid: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """A board and what Grafana knows of it (`folderUid`, `provisioned` …); None if there is none."""
        status, body = self._ask("GET", f"/api/dashboards/uid/{quote(uid, safe='')}", expect=(404,))
        if status == 404:
            return None
        if not isinstance(body.get("dashboard"), dict) or not isinstance(body.get("meta"), dict):
            raise GrafanaError(f"{self._where} does not answer as Grafana does; is the address right?")
        return body["dashboard"], body["meta"]

    def save(self, board: dict[str, Any], folder_uid: str, message: str) -> int:
        """Store a board in a folder and give its new version.

        Nothing is overwritten that changed since it was read: `id` and `version` of the board are those of the one read.
        """
        wanted = {"dashboard": board, "folderUid": folder_uid, "message": message, "overwrite": False}
        status, body = self._ask("POST", "/api/dashboards/db", wanted, expect=(412,))
        if status == 412:
            raise GrafanaError(
                f"board {board.get('uid')} was not saved: {_words(body)}; run the push again, or look at who changes it"
            )
        return int(body.get("version") or 0)

    def has_folder(self, uid: str) -> bool:
        status, _ = self._ask("GET", f"/api/folders/{quote(uid, safe='')}", expect=(404,))
        return status != 404

    def make_folder(self, uid: str, title: str) -> None:
        """It may be there already: somebody was quicker."""
        self._ask("POST", "/api/folders", {"uid": uid, "title": title}, expect=(409, 412))

    def has_data_source(self, uid: str) -> bool | None:
        """None: the token may not ask."""
        status, _ = self._ask("GET", f"/api/datasources/uid/{quote(uid, safe='')}", expect=(403, 404))
        return None if status == 403 else status != 404

    def _ask(
        self, method: str, path: str, body: Any = None, expect: tuple[int, ...] = ()
    ) -> tuple[int, dict[str, Any]]:
        import urllib3

        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._http.request(
                method, self._url + path, body=data, headers=self._headers, redirect=False, retries=False
            )
        except urllib3.exceptions.SSLError:
            raise GrafanaError(
                f"{self._where}: the certificate is not trusted; --ca-file names an own authority"
            ) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise GrafanaError(f"{self._where} cannot be reached ({type(error).__name__})") from None
        told = _json(answer.data)
        if 200 <= answer.status < 300 or answer.status in expect:
            return answer.status, told
        raise GrafanaError(
            f"{self._where} answers {answer.status} to {method} {path}: {_words(told)}{_hint(answer.status)}"
        )


def _json(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _words(body: dict[str, Any]) -> str:
    """Grafana's own message, made fit to print."""
    said = " ".join(str(body.get("message") or "no reason given").split())
    return "".join(letter for letter in said if letter.isprintable())[:_SHOWN]


def _hint(status: int) -> str:
    if 300 <= status < 400:
        return "; is the address right? Redirects are not followed"
    return {
        401: "; is the token right, has it expired?",
        403: "; the service account needs the role Editor, or the rights to read and write dashboards and folders",
        404: "; is the address right, with its sub-path?",
    }.get(status, "")
