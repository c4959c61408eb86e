"""A real Elasticsearch for the tests: the server that its own integration tests use, taken from Maven Central.

It speaks the whole indexing, bulk, search and aggregation API, and lacks x-pack, painless, ILM and ES|QL. Outside
pytest (in `tests/`): `python -m servers.elasticsearch` prints the address and serves until it is interrupted.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from servers import presence

VERSION = "9.5.0"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
ZIP = f"org/elasticsearch/distribution/integ-test-zip/elasticsearch/{VERSION}/elasticsearch-{VERSION}.zip"
NEEDED_JAVA = 21

SETTINGS = """\
cluster.name: {name}
discovery.type: single-node
network.host: 127.0.0.1
http.port: {http}
transport.port: {transport}
path.data: {folder}/data
path.logs: {folder}/logs
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: false
"""


class ElasticsearchServer:
    """One server process with a data folder of its own, on free ports of 127.0.0.1."""

    def __init__(self, home: Path, java: Path, folder: Path) -> None:
        self.folder = folder
        self._home, self._java = home, java
        self._process: subprocess.Popen[bytes] | None = None
        self._http, transport = _free_ports(2)
        self.url = f"http://127.0.0.1:{self._http}"
        shutil.copytree(home / "config", folder / "config")
        (folder / "config" / "elasticsearch.yml").write_text(
            SETTINGS.format(name=f"regsight-{self._http}", http=self._http, transport=transport, folder=folder)
        )
        for name in ("data", "logs", "tmp"):
            (folder / name).mkdir()
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    def start(self) -> None:
        """Start, on the data that is there, and wait until it answers."""
        setpriv = presence.program("setpriv", "util-linux")
        # The server follows its launcher, the launcher follows us: nothing is left behind by a killed test run.
        command = [str(setpriv), "--pdeathsig=KILL"]
        if os.geteuid() == 0:
            command += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        environment = {
            "PATH": os.environ["PATH"],
            "ES_JAVA_HOME": str(self._java),
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
        }
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, str(self._home / "bin" / "elasticsearch")],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait()

    def wait(self, seconds: float = 180) -> None:
        """Until the cluster is healthy; the end of its output is in the error if it does not get there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url + "/_cluster/health?wait_for_status=yellow", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.25)
        output = (self.folder / "output.log").read_text(errors="replace")[-3000:]
        self.kill()
        raise RuntimeError(f"Elasticsearch did not start:\n{output}")

    def pause(self) -> None:
        """Stop answering without closing connections (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; the data stays. Safe to call twice."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        # The launcher starts a second process; both are in the group that this process leads.
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


@contextmanager
def running() -> Iterator[ElasticsearchServer]:
    """A fresh, empty server; it and its data are gone at the end."""
    home, java = _home(), _java()
    folder = Path(tempfile.mkdtemp(prefix="regsight-elasticsearch-", dir=_open_folder()))
    server = ElasticsearchServer(home, java, folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """Address of a real Elasticsearch that lives as long as the test run; use a namespace of your own in it."""
    with running() as server:
        yield server.url


def _open_folder() -> Path:
    """Where the unprivileged server may read and write: root's home is closed to others."""
    if os.geteuid() != 0:
        return presence.cache_folder()
    folder = Path("/var/tmp/regsight-tests")
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != 0:
        raise RuntimeError(f"{folder} is not root's own: remove it")
    return folder


def _home() -> Path:
    """The unpacked server; unpacked once, under a lock, since several test runs may start together."""
    folder = _open_folder()
    home = folder / f"elasticsearch-{VERSION}"
    with (folder / "unpack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=folder) as unpacked, zipfile.ZipFile(_zip()) as archive:
                archive.extractall(unpacked)
                Path(unpacked).chmod(0o755)
                for program in (Path(unpacked) / home.name / "bin").iterdir():
                    program.chmod(0o755)
                (Path(unpacked) / home.name).rename(home)
    return home


def _zip() -> Path:
    archive = Path.home() / ".m2" / "repository" / ZIP
    if not archive.exists():
        mvn = presence.program("mvn", "maven")
        got = subprocess.run(
            [str(mvn), "-q", "-B", "dependency:get", f"-Dartifact={ARTIFACT}", "-Dtransitive=false"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if not archive.exists():
            presence.missing(f"Elasticsearch {VERSION}", f"mvn dependency:get failed: {got.stdout[-400:]}")
    return archive


def _java() -> Path:
    """Home of the newest Java that is new enough."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    found: dict[int, Path] = {}
    for home in homes:
        if (home / "bin" / "java").exists():
            told = subprocess.run([str(home / "bin" / "java"), "-version"], capture_output=True, text=True).stderr
            version = re.search(r'version "(\d+)', told)
            if version and int(version[1]) >= NEEDED_JAVA:
                found[int(version[1])] = home
    if not found:
        presence.missing(f"Java {NEEDED_JAVA} or newer", f"apt-get install openjdk-{NEEDED_JAVA}-jre-headless")
    return found[max(found)]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with running() as server:
        print(server.url, flush=True)
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
