"""What stands between the store and a server: certificates, and the version that each of the two speaks."""

from __future__ import annotations

import json
import ssl
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from servers.elasticsearch_cluster import certificates

from store.contract import EventQuery
from store.elastic import ElasticStore
from store.errors import Rejected


class Answers(BaseHTTPRequestHandler):
    """An empty server of version 8: it refuses headers of version 9 in its own words."""

    seen: ClassVar[Counter[str]] = Counter()

    def any(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        newer = "compatible-with=9" in (self.headers.get("accept") or "")
        self.seen["newer" if newer else "plain"] += 1
        error = {"type": "media_type_header_exception", "reason": "Invalid media-type value on headers [Accept]"}
        body = json.dumps({"error": error, "status": 400} if newer else {"count": 0, "hits": {"hits": []}}).encode()
        self.send_response(400 if newer else 200)
        for name, value in (("x-elastic-product", "Elasticsearch"), ("content-type", "application/json")):
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = any

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Starts such a server, with a certificate where one is given; its address."""
    servers = []

    def start(certificate=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        return f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"

    Answers.seen.clear()
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_older_server_is_asked_in_its_own_version(serve):
    """One refusal, then plain JSON for good."""
    store = ElasticStore(serve())
    assert store.total() == 0
    assert list(store.events(EventQuery())) == []
    assert Answers.seen["newer"] == 1 and Answers.seen["plain"] >= 3
    store.close()


@pytest.mark.parametrize(
    ("certificate", "authority", "said"),
    [
        ("expired", "authority", "certificate has expired; renew it on the server"),
        ("good", "stranger", "not accepted.*ca_file"),
        ("good", None, "not accepted.*ca_file"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_told_and_final(serve, tmp_path, certificate, authority, said):
    """Nobody is asked to try again, and the sentence says whose turn it is."""
    certificates(tmp_path)
    url = serve(tmp_path / f"{certificate}.pem")
    store = ElasticStore(url, ca_file=str(tmp_path / f"{authority}.pem") if authority else None)
    with pytest.raises(Rejected, match=said):
        store.total()
    assert not Answers.seen
    store.close()


def test_the_authority_of_the_settings_comes_before_that_of_the_address(serve, tmp_path):
    """Both may be given."""
    certificates(tmp_path)
    url = serve(tmp_path / "good.pem")
    store = ElasticStore(f"{url}?ca_file={tmp_path / 'stranger.pem'}", ca_file=str(tmp_path / "authority.pem"))
    assert store.total() == 0
    store.close()
