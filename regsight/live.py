"""A real docker-registry here, real images pushed and pulled with skopeo, and their events: `demo --live`.

All the voices of the registry are on: its application log, its access lines on standard output, its notifications, and (where
nginx is installed) the log of a proxy in front. Each operation must be there once all the same.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from regsight.tiny_image import write_image

if TYPE_CHECKING:
    from store.contract import Store

PROGRAMS = ("docker-registry", "skopeo", "htpasswd")
USER, PASSWORD = "ci-builder", "demo-only"  # a registry on loopback that lives for some seconds
START_SECONDS = 15.0
DRAIN_SECONDS = 60.0
QUIET_SECONDS = 1.5  # notifications come a moment after the request
_GOOD, _BAD = f"{USER}:{PASSWORD}", f"{USER}:wrong"
_SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_NGINX = """daemon off; pid {folder}/nginx.pid; worker_processes 1;
events {{}}
http {{
  {scratch}
  access_log {log} combined;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 0;
    location / {{
      proxy_pass http://127.0.0.1:{registry};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_request_buffering off;
    }}
  }}
}}
"""
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class LiveError(Exception):
    """The real registry did not start or a client could not be run; the message says which and shows its output."""


def missing_programs() -> list[str]:
    """Which of the programs are not on this machine."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Step:
    """One run of skopeo, and the operations on images that it is: (action, outcome, tag or digest)."""

    name: str
    run: Callable[[], None]
    operations: tuple[tuple[str, str, str], ...]


class LiveRegistry:
    """A docker-registry with password access: its application log and its access lines in a file each, its notifications
    sent to `hook_port`, and nginx in front of it if it is installed. Clients come to `port`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log, self.access_log = self.folder / "registry.log", self.folder / "access.log"
        self.registry_port = free_port()
        self.proxied = shutil.which("nginx") is not None
        self.port = free_port() if self.proxied else self.registry_port
        self.proxy_log = self.folder / "nginx-access.log"
        self.hook_port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def logs(self) -> list[Path]:
        return [self.log, self.access_log, *([self.proxy_log] if self.proxied else [])]

    def __enter__(self) -> Self:
        htpasswd = self.folder / "htpasswd"
        made = subprocess.run(["htpasswd", "-nbB", USER, PASSWORD], check=True, capture_output=True)  # noqa: S603, S607
        htpasswd.write_bytes(made.stdout.strip() + b"\n")
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._config(htpasswd)))  # JSON is YAML
        (self.folder / "policy.json").write_text(json.dumps(POLICY))
        with self.log.open("ab") as log, self.access_log.open("ab") as access:
            command = [str(shutil.which("docker-registry")), "serve", str(config)]
            self._processes.append(subprocess.Popen(command, stdout=access, stderr=log))  # noqa: S603
        if self.proxied:
            self._start_proxy()
        try:
            self._wait_until_up()
        except LiveError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()

    def exercise(self, advance: Callable[[int, int], None] | None = None) -> list[Step]:
        """Push, pull, delete, be refused: twenty runs of skopeo. Returns what was done, in order."""
        steps = self._steps()
        for number, step in enumerate(steps, start=1):
            step.run()
            if advance:
                advance(number, len(steps))
        return steps

    def _steps(self) -> list[Step]:
        image, other, third = (self.folder / name for name in ("image", "other", "third"))
        for folder, text in ((image, "one"), (other, "two"), (third, "three")):
            write_image(folder, text)

        def push(source: Path, tag: str) -> Step:
            words = "copy", f"oci:{source}", self._name(tag)
            return Step(f"push {tag}", lambda: self.skopeo(*words, dest=_GOOD), (("push", "success", tag),))

        def pull(tag: str, outcome: str = "success", creds: str = _GOOD) -> Step:
            def run() -> None:
                target = self.folder / f"pulled-{time.monotonic_ns()}"
                self.skopeo("copy", self._name(tag), f"dir:{target}", src=creds, may_fail=outcome != "success")

            return Step(f"pull {tag}: {outcome}", run, (("pull", outcome, tag),))

        # skopeo looks the tag up before it deletes the digest, and the tag goes with it.
        deleted = (("pull", "success", "1.1"), ("delete", "success", "digest"), ("untag", "success", "1.1"))
        delete = Step("delete 1.1", lambda: self.skopeo("delete", self._name("1.1"), src=_GOOD), deleted)
        return [
            *(push(image, tag) for tag in ("1.0", "latest")),
            *(pull(tag) for tag in ("1.0", "1.0", "latest")),
            push(third, "1.1"),
            push(other, "latest"),
            *(pull("latest") for _ in range(5)),
            pull("no-such-tag", "failure"),
            *(pull("1.0", "denied", _BAD) for _ in range(5)),
            pull("1.0"),
            delete,
        ]

    def _name(self, tag: str) -> str:
        return f"docker://127.0.0.1:{self.port}/demo/app:{tag}"

    def collecting(self, store: Store) -> _Collecting:
        """A context in which the log is followed and the notifications are received into `store`."""
        return _Collecting(self, store)

    def skopeo(self, *words: str, src: str | None = None, dest: str | None = None, may_fail: bool = False) -> None:
        """Run skopeo over plain HTTP on loopback.

        Raises:
            LiveError: it failed where it should not, or did not fail where it should.
        """
        options = ["--policy", str(self.folder / "policy.json")]
        flags: list[str] = []
        if src is not None:
            flags += ["--src-tls-verify=false", "--src-creds", src]
            if words[0] == "delete":
                flags = ["--tls-verify=false", "--creds", src]
        if dest is not None:
            flags += ["--dest-tls-verify=false", "--dest-creds", dest]
        command = ["skopeo", *options, words[0], *flags, *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: S603
        if (done.returncode != 0) != may_fail:
            raise LiveError(f"skopeo {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()[-400:]}")

    def _config(self, htpasswd: Path) -> dict[str, Any]:
        return {
            "version": 0.1,
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.registry_port}"},
            "auth": {"htpasswd": {"realm": "demo", "path": str(htpasswd)}},
            "notifications": {
                "endpoints": [
                    {
                        "name": "regsight",
                        "url": f"http://127.0.0.1:{self.hook_port}/notifications",
                        "headers": {"Authorization": [f"Bearer {PASSWORD}"]},
                        "timeout": "2s",
                        "threshold": 5,
                        "backoff": "200ms",
                    }
                ]
            },
        }

    def _start_proxy(self) -> None:
        config = self.folder / "nginx.conf"
        scratch = "".join(f"{kind}_temp_path {self.folder}/nginx-{kind};" for kind in _SCRATCH)
        config.write_text(
            _NGINX.format(
                folder=self.folder, scratch=scratch, port=self.port, registry=self.registry_port, log=self.proxy_log
            )
        )
        errors = self.folder / "nginx-error.log"
        command = [str(shutil.which("nginx")), "-p", str(self.folder), "-c", str(config), "-e", str(errors)]
        self._processes.append(subprocess.Popen(command))  # noqa: S603

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=1)
            except urllib.error.HTTPError as answer:
                if answer.code == 401:
                    return  # it answers, with the challenge
                time.sleep(0.1)  # the proxy is there before the registry
            except OSError:
                time.sleep(0.1)
        raise LiveError(
            f"docker-registry, or nginx in front of it, did not start: {self.log.read_text(errors='replace')[-400:]}"
        )


class _Collecting:
    """Follows a live registry while the context is open; leaving it waits until what was said has been read."""

    def __init__(self, registry: LiveRegistry, store: Store) -> None:
        from pydantic import SecretStr

        from collector.sources.file_tail import FileTail
        from collector.sources.webhook import WebhookReceiver
        from collector.webhook_proof import Endpoint
        from regsight.app import pipeline_over

        endpoint = Endpoint(
            path="/notifications", format="distribution-notifications", registry="live", token=SecretStr(PASSWORD)
        )
        receiver = WebhookReceiver(f"127.0.0.1:{registry.hook_port}", [endpoint])
        log = FileTail("live", [str(path) for path in registry.logs], registry="live", follow=True)
        self._store = store
        self._pipeline = pipeline_over(store, [log, receiver], batch_seconds=0.2)
        self._thread = threading.Thread(target=self._pipeline.run, name="live collector", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        # Each notification is answered after its commit and only then is the next one sent: wait for the positions,
        # since a notification that joins a known request makes no further event.
        read, quiet_since = -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - quiet_since < QUIET_SECONDS:
            now_read = sum(position.offset for position in self._store.positions())
            if now_read != read:
                read, quiet_since = now_read, time.monotonic()
            time.sleep(0.1)
        self._pipeline.stop()
        self._thread.join(START_SECONDS)
