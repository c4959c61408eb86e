"""Three Elasticsearch nodes on this machine, as grown-ups run them: TLS, accounts with roles, one replica of each shard.

Certificates are made here, with an authority of their own. `good.pem`, `expired.pem` and `stranger.pem` (an authority
that signed nothing here) stand in `folder`; the accounts are of the file realm, so no index of the server's is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers.elasticsearch import ElasticsearchServer, free_ports, installed, new_folder

PASSWORD = "a long word for tests"
# What Regsight needs and no more; docs/scale.md shows the same role.
ROLES = """\
regsight_writer:
  cluster: [monitor, manage_index_templates]
  indices:
    - names: ["regsight-*"]
      privileges: [all]
regsight_reader:
  cluster: [monitor]
  indices:
    - names: ["regsight-*"]
      privileges: [read, view_index_metadata, maintenance]
"""
NODES = ("one", "two", "three")
USERS = {"regsight": "regsight_writer", "reader": "regsight_reader", "admin": "superuser"}
SETTINGS = """\
cluster.name: regsight-three
node.name: {node}
discovery.seed_hosts: [{seeds}]
cluster.initial_master_nodes: [one, two, three]
xpack.security.enabled: true
xpack.security.authc.password_hashing.algorithm: pbkdf2
xpack.security.transport.ssl.enabled: true
xpack.security.transport.ssl.verification_mode: certificate
xpack.security.transport.ssl.key: transport.key
xpack.security.transport.ssl.certificate: transport.pem
xpack.security.transport.ssl.certificate_authorities: authority.pem
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: http.key
xpack.security.http.ssl.certificate: http.pem
"""


class Cluster:
    """`folder` holds authority.pem, stranger.pem and the certificates; `urls` the three addresses."""

    def __init__(self, home: Path, java: Path, folder: Path) -> None:
        self.folder = folder
        ports = free_ports(6)
        certificates(folder)
        files = {
            "authority.pem": (folder / "authority.pem").read_text(),
            **{
                f"{use}.{end}": (folder / f"good.{end}").read_text()
                for use in ("http", "transport")
                for end in ("pem", "key")
            },
            "roles.yml": ROLES,
            "users": "".join(f"{user}:{hashed(PASSWORD)}\n" for user in USERS),
            "users_roles": "".join(f"{role}:{user}\n" for user, role in USERS.items()),
        }
        seeds = ", ".join(f'"127.0.0.1:{port}"' for port in ports[3:])
        self.nodes: dict[str, ElasticsearchServer] = {}
        for place, name in enumerate(NODES):
            (folder / name).mkdir(mode=0o755)
            settings = SETTINGS.format(node=name, seeds=seeds)
            pair = (ports[place], ports[3 + place])
            self.nodes[name] = ElasticsearchServer(home, java, folder / name, settings, files, pair)
        self.urls = {name: f"https://127.0.0.1:{ports[place]}" for place, name in enumerate(NODES)}

    def start(self) -> None:
        """All three, and wait until they have found one another."""
        for node in self.nodes.values():
            node.launch()
        self.until(lambda: self.ask("/_cluster/health?wait_for_nodes=3")["number_of_nodes"] == 3, 600)

    def store_url(self, user: str = "regsight", node: str = "one", namespace: str = "default") -> str:
        return self.urls[node].replace("://", f"://{user}@") + f"?namespace={namespace}"

    def use_certificate(self, node: str, name: str) -> None:
        """Serve HTTP with another certificate (`good`, `expired`); the node reads it again by itself."""
        config = self.nodes[node].folder / "config"
        for end in ("key", "pem"):
            text = (self.folder / f"{name}.{end}").read_text()
            (config / f"http.{end}").write_text(text)

    def ask(self, path: str, body: Any = None, method: str | None = None, node: str | None = None) -> dict[str, Any]:
        """As the administrator, at any node that answers."""
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        data = None if body is None else json.dumps(body).encode()
        token = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        refused: OSError | None = None
        for name in [node] if node else NODES:
            request = urllib.request.Request(self.urls[name] + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                    return dict(json.load(answer))
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"{path}: {error.read().decode()}") from error
            except OSError as error:
                refused = error
        raise refused or RuntimeError("no node")

    def until(self, holds: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for a condition; what the nodes said last is in the error if it does not come."""
        deadline, last = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
                last = "not yet"
            except (OSError, RuntimeError) as error:
                last = str(error)
            time.sleep(0.3)
        logs = "\n".join(
            (node.folder / "output.log").read_text(errors="replace")[-1500:] for node in self.nodes.values()
        )
        raise AssertionError(f"did not come about in {seconds} s ({last}):\n{logs}")

    def primary_of(self, index: str) -> str:
        """The node that has the first shard of an index."""
        state = self.ask(f"/_cluster/state/routing_table,nodes/{index}")
        (shards,) = (table["shards"]["0"] for table in state["routing_table"]["indices"].values())
        (at,) = (shard["node"] for shard in shards if shard["primary"])
        return str(state["nodes"][at]["name"])

    def kill(self) -> None:
        for node in self.nodes.values():
            node.kill()


def hashed(password: str) -> str:
    """As the file realm keeps it."""
    salt = os.urandom(32)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 10_000, 32)
    return "{PBKDF2}10000$" + "$".join(base64.b64encode(part).decode() for part in (salt, key))


def certificates(folder: Path) -> None:
    """An authority; what it signed: `good` and `expired`; and a `stranger`, an authority of the same name."""
    now = datetime.now(UTC)
    key, authority = _signed("authority", now + timedelta(days=2))
    _write(folder, "authority", key, authority)
    _write(folder, "good", *_signed("127.0.0.1", now + timedelta(days=2), key, authority))
    _write(folder, "expired", *_signed("127.0.0.1", now - timedelta(hours=1), key, authority))
    _write(folder, "stranger", *_signed("authority", now + timedelta(days=2)))


def _signed(
    name: str,
    until: datetime,
    issuer_key: ec.EllipticCurvePrivateKey | None = None,
    issuer: x509.Certificate | None = None,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=4))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signer = issuer_key or key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(signer, hashes.SHA256())


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Three fresh nodes; they and their data are gone at the end."""
    home, java = installed()
    with new_folder() as folder:
        cluster = Cluster(home, java, folder)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()
