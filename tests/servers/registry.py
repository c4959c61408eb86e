"""A real container registry (Debian's docker-registry 2.8.2) and a real client (skopeo) for the tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import presence

USERS = {"irina": "correct horse", "tomasz": "battery staple"}


@dataclass
class Registry:
    """One registry process: htpasswd users `USERS`, JSON application log and access lines in one
    file, storage of its own.
    """

    folder: Path
    port: int
    log: Path
    skopeo: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def push(self, image: Path, name: str, user: str | None, password: str | None = None) -> int:
        """Copy an OCI layout into the registry; skopeo's exit code."""
        return self._copy(f"oci:{image}", f"docker://{self.host}/{name}", "dest", user, password)

    def pull(self, name: str, user: str | None, password: str | None = None) -> int:
        """Copy an image out of the registry, into nowhere that matters; skopeo's exit code."""
        target = self.folder / f"pulled-{time.monotonic_ns()}"
        return self._copy(f"docker://{self.host}/{name}", f"oci:{target}", "src", user, password)

    def _copy(self, source: str, target: str, side: str, user: str | None, password: str | None) -> int:
        command = [str(self.skopeo), "--insecure-policy", "copy", "--preserve-digests", f"--{side}-tls-verify=false"]
        if user is not None:
            command.append(f"--{side}-creds={user}:{password or USERS[user]}")
        else:
            command.append(f"--{side}-no-creds")
        done = subprocess.run([*command, source, target], capture_output=True, text=True, timeout=60)
        return done.returncode


def image(folder: Path, text: str) -> tuple[Path, str]:
    """Write an OCI layout with one small layer. Its path and the digest of its manifest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(text.encode())
        layer.addfile(entry, io.BytesIO(text.encode()))
    layer_digest = f"sha256:{hashlib.sha256(packed.getvalue()).hexdigest()}"
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer_digest]}}
    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": put(json.dumps(config).encode(), f"{oci}.config.v1+json"),
        "layers": [put(gzip.compress(packed.getvalue(), mtime=0), f"{oci}.layer.v1.tar+gzip")],
    }
    described = put(json.dumps(manifest).encode(), f"{oci}.manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder, str(described["digest"])


@contextmanager
def running_registry(folder: Path, notify: tuple[str, str] | None = None) -> Iterator[Registry]:
    """Start a registry in `folder`. `notify` is the address its notifications go to, and the Authorization header."""
    server = presence.program("docker-registry", "docker-registry")
    skopeo = presence.program("skopeo", "skopeo")
    htpasswd = presence.program("htpasswd", "apache2-utils")
    lines = [
        subprocess.run([str(htpasswd), "-nbB", user, word], capture_output=True, text=True, check=True).stdout.strip()
        for user, word in USERS.items()
    ]
    (folder / "htpasswd").write_text("\n".join(lines) + "\n")
    registry = Registry(folder=folder, port=_free_port(), log=folder / "registry.log", skopeo=skopeo)
    (folder / "config.json").write_text(json.dumps(_config(registry, notify)))
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with registry.log.open("ab") as log:
        process = subprocess.Popen(
            [str(server), "serve", str(folder / "config.json")], stdout=log, stderr=log, env=environment
        )
    try:
        _wait(registry, process)
        yield registry
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(registry: Registry, notify: tuple[str, str] | None) -> dict[str, object]:
    """YAML is a superset of JSON, so the registry reads this."""
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "json"},
        "storage": {"filesystem": {"rootdirectory": str(registry.folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": registry.host, "secret": "for tests only"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(registry.folder / "htpasswd")}},
    }
    if notify is not None:
        endpoint = {
            "name": "regsight",
            "url": notify[0],
            "headers": {"Authorization": [notify[1]]},
            "timeout": "5s",
            "threshold": 3,
            "backoff": "500ms",
        }
        config["notifications"] = {"endpoints": [endpoint]}
    return config


def _wait(registry: Registry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, registry.log.read_text()[-2000:]
        try:
            urllib.request.urlopen(f"http://{registry.host}/", timeout=1).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"docker-registry does not answer: {registry.log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry without notifications."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with running_registry(folder) as running:
        yield running
