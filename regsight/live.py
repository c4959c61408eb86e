"""A real docker-registry here, real images pushed and pulled with skopeo, and their events: `demo --live`."""

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


class LiveRegistry:
    """A docker-registry with password access, its JSON log in a file and its notifications sent to `hook_port`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "registry.log"
        self.port = free_port()
        self.hook_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        htpasswd = self.folder / "htpasswd"
        made = subprocess.run(["htpasswd", "-nbB", USER, PASSWORD], check=True, capture_output=True)  # noqa: S603, S607
        htpasswd.write_bytes(made.stdout.strip() + b"\n")
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._config(htpasswd)))  # JSON is YAML
        (self.folder / "policy.json").write_text(json.dumps(POLICY))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(shutil.which("docker-registry")), "serve", str(config)], stdout=log, stderr=log
            )
        self._wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def exercise(self, advance: Callable[[int, int], None] | None = None) -> list[str]:
        """Push, pull, be refused; returns what was done, in order."""
        image = self.folder / "image"
        write_image(image, "one")
        other = self.folder / "other"
        write_image(other, "two")
        good, bad = f"{USER}:{PASSWORD}", f"{USER}:wrong"
        target = f"docker://127.0.0.1:{self.port}/demo/app"
        steps: list[tuple[str, Callable[[], None]]] = [
            ("push 1.0", lambda: self.skopeo("copy", f"oci:{image}", f"{target}:1.0", dest=good)),
            ("push latest", lambda: self.skopeo("copy", f"oci:{image}", f"{target}:latest", dest=good)),
            ("pull 1.0", lambda: self.skopeo("copy", f"{target}:1.0", f"dir:{self.folder / 'pulled'}", src=good)),
            ("push latest again, moved", lambda: self.skopeo("copy", f"oci:{other}", f"{target}:latest", dest=good)),
            ("pull latest", lambda: self.skopeo("copy", f"{target}:latest", f"dir:{self.folder / 'moved'}", src=good)),
            *[
                (
                    "pull with a wrong password",
                    lambda: self.skopeo(
                        "copy", f"{target}:1.0", f"dir:{self.folder / 'stolen'}", src=bad, may_fail=True
                    ),
                )
            ]
            * 5,
        ]
        for number, (_, step) in enumerate(steps, start=1):
            step()
            if advance:
                advance(number, len(steps))
        return [name for name, _ in steps]

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
            "http": {"addr": f"127.0.0.1:{self.port}"},
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

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=1)
            except urllib.error.HTTPError:
                return  # it answers, with the challenge
            except OSError:
                time.sleep(0.1)
        raise LiveError(f"docker-registry did not start: {self.log.read_text(errors='replace')[-400:]}")


class _Collecting:
    """Follows a live registry while the context is open; leaving it waits until what was said has been read."""

    def __init__(self, registry: LiveRegistry, store: Store) -> None:
        from pydantic import SecretStr

        from collector.sources.file_tail import FileTail
        from collector.sources.webhook import Endpoint, WebhookReceiver
        from regsight.app import pipeline_over

        endpoint = Endpoint(
            path="/notifications", format="distribution-notifications", registry="live", token=SecretStr(PASSWORD)
        )
        receiver = WebhookReceiver(f"127.0.0.1:{registry.hook_port}", [endpoint])
        log = FileTail("live", [str(registry.log)], registry="live", follow=True)
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
