"""A real Elasticsearch for the tests: the server that its own integration tests use, taken from Maven Central.

It speaks the whole indexing, bulk, search and aggregation API and has x-pack's security (used in
`elasticsearch_cluster`, off here); it lacks painless, ILM, data streams' lifecycle, ES|QL and `GET /`. Which version
runs depends on the Java that is there: the newest that it can run, or `REGSIGHT_ES_VERSION`. Outside pytest (in
`tests/`): `python -m servers.elasticsearch` prints the address and serves until it is interrupted.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from servers import presence

# Version → the oldest Java that runs it. Debian 12 has 17.
VERSIONS = {"9.5.0": 21, "8.19.0": 17}
ARTIFACT = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:{0}:zip"
ZIP = "org/elasticsearch/distribution/integ-test-zip/elasticsearch/{0}/elasticsearch-{0}.zip"
CHOICE = "REGSIGHT_ES_VERSION"

SETTINGS = """\
cluster.name: {name}
network.host: 127.0.0.1
http.port: {http}
transport.port: {transport}
path.data: {folder}/data
path.logs: {folder}/logs
cluster.routing.allocation.disk.threshold_enabled: false
"""
ALONE = """\
discovery.type: single-node
xpack.security.enabled: false
"""


class ElasticsearchServer:
    """One server process with a data folder of its own, on free ports of 127.0.0.1.

    `settings` go into elasticsearch.yml, `files` (name → text) beside it.
    """

    def __init__(
        self,
        home: Path,
        java: Path,
        folder: Path,
        settings: str = ALONE,
        files: Mapping[str, str] | None = None,
        ports: tuple[int, int] | None = None,
    ) -> None:
        self.folder = folder
        self._home, self._java = home, java
        self._process: subprocess.Popen[bytes] | None = None
        self._http, transport = ports or free_ports(2)
        self.url = f"http://127.0.0.1:{self._http}"
        shutil.copytree(home / "config", folder / "config")
        options = folder / "config" / "jvm.options"
        # 8.x would write the collector's log into its own home, where it may not.
        kept = [line for line in options.read_text().splitlines() if "Xlog:gc" not in line]
        options.write_text("\n".join(kept) + "\n")
        common = SETTINGS.format(name=f"regsight-{self._http}", http=self._http, transport=transport, folder=folder)
        named = dict(line.split(": ", 1) for line in (common + settings).splitlines())  # what is said last counts
        for name, text in ({"elasticsearch.yml": "\n".join(map(": ".join, named.items()))} | dict(files or {})).items():
            (folder / "config" / name).write_text(text)
        for name in ("data", "logs", "tmp"):
            (folder / name).mkdir()
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    def start(self) -> None:
        """Start, on the data that is there, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start without waiting."""
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

    def wait(self, seconds: float = 400) -> None:
        """Until the cluster is healthy; the end of its output is in the error if it does not get there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self.answers():
                return
            time.sleep(0.25)
        output = (self.folder / "output.log").read_text(errors="replace")[-3000:]
        self.kill()
        raise RuntimeError(f"Elasticsearch did not start:\n{output}")

    def answers(self) -> bool:
        """Whether it says that it is well."""
        try:
            with urllib.request.urlopen(self.url + "/_cluster/health?wait_for_status=yellow", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

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
    home, java = installed()
    with new_folder() as folder:
        server = ElasticsearchServer(home, java, folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def new_folder() -> Iterator[Path]:
    """A folder that the server may use, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="regsight-elasticsearch-", dir=_open_folder()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def installed() -> tuple[Path, Path]:
    """Homes of the server and of the Java that runs it."""
    version, java = choice()
    return _home(version), java


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """Address of a real Elasticsearch that lives as long as the test run; use a namespace of your own in it.

    With `REGSIGHT_ES_URL` it is one that runs already, fresh and without accounts.
    """
    if there := os.environ.get("REGSIGHT_ES_URL"):
        yield there
        return
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


def _home(version: str) -> Path:
    """The unpacked server; unpacked once, under a lock, since several test runs may start together."""
    folder = _open_folder()
    home = folder / f"elasticsearch-{version}"
    with (folder / "unpack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=folder) as unpacked, zipfile.ZipFile(_zip(version)) as archive:
                archive.extractall(unpacked)
                Path(unpacked).chmod(0o755)
                for program in (Path(unpacked) / home.name / "bin").iterdir():
                    program.chmod(0o755)
                (Path(unpacked) / home.name).rename(home)
    return home


def _zip(version: str) -> Path:
    archive = Path.home() / ".m2" / "repository" / ZIP.format(version)
    if not archive.exists():
        mvn = presence.program("mvn", "maven")
        got = subprocess.run(
            [str(mvn), "-q", "-B", "dependency:get", f"-Dartifact={ARTIFACT.format(version)}", "-Dtransitive=false"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if not archive.exists():
            presence.missing(f"Elasticsearch {version}", f"mvn dependency:get failed: {got.stdout[-400:]}")
    return archive


def choice() -> tuple[str, Path]:
    """The version that runs here, and the home of the Java that runs it."""
    javas = _javas()
    asked = os.environ.get(CHOICE)
    if asked and asked not in VERSIONS:
        raise RuntimeError(f"{CHOICE}={asked}: known are {', '.join(VERSIONS)}")
    fit = [
        version for version, java in VERSIONS.items() if max(javas, default=0) >= java and asked in (None, "", version)
    ]
    if not fit:
        needed = VERSIONS[asked] if asked else min(VERSIONS.values())
        presence.missing(f"Java {needed} or newer", f"apt-get install openjdk-{needed}-jre-headless")
    # An old version runs on the Java of its time; a newer one may have taken away what it needs.
    suited = [java for java in javas if java >= VERSIONS[fit[0]]]
    return fit[0], javas[min(suited) if fit[0] != next(iter(VERSIONS)) else max(suited)]


def _javas() -> dict[int, Path]:
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    found: dict[int, Path] = {}
    for home in homes:
        if (home / "bin" / "java").exists():
            told = subprocess.run([str(home / "bin" / "java"), "-version"], capture_output=True, text=True).stderr
            if version := re.search(r'version "(\d+)', told):
                found[int(version[1])] = home
    return found


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens just now."""
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
