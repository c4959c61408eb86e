"""A real rsyslogd as a private process: its own configuration, ports on loopback, its own folder. And a small authority
that makes certificates for it and for the receiver.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import presence

DEADLINE_SECONDS = 20.0


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Rsyslog:
    """A running daemon. It takes messages by TCP and UDP on `port` and does with them what its rules say."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def send(self, *lines: str, tag: str = "registry", udp: bool = False) -> None:
        """Lines through util-linux' `logger`, in its traditional form."""
        logger = presence.program("logger", "bsdutils")
        command = [str(logger), "--server", "127.0.0.1", "--port", str(self.port), "--rfc3164", "--tag", tag]
        command += ["--udp" if udp else "--tcp", "--size", "32KiB"]
        subprocess.run(command, input="\n".join(lines).encode() + b"\n", check=True, timeout=30)


@contextmanager
def rsyslog(folder: Path, rules: str) -> Iterator[Rsyslog]:
    """rsyslogd with `rules` behind its inputs, until the end of the block; killed by its own id."""
    program = presence.program("rsyslogd", "rsyslog")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "rsyslog.conf"
    known = ""
    if (folder / "ca.pem").exists():
        known = "".join(
            f' defaultNetstreamDriver{what}File="{folder}/{file}"'
            for what, file in (("CA", "ca.pem"), ("Cert", "client.pem"), ("Key", "client.key"))
        )
    configuration.write_text(
        f'global(workDirectory="{folder}" maxMessageSize="32k"{known})\n'
        'module(load="imtcp")\nmodule(load="imudp")\n'
        f'input(type="imtcp" address="127.0.0.1" port="{port}")\n'
        f'input(type="imudp" address="127.0.0.1" port="{port}")\n'
        f"{rules}\n"
    )
    with (folder / "rsyslogd.out").open("wb") as out:
        command = [str(program), "-n", "-f", str(configuration), "-i", str(folder / "pid")]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _wait_for(port, process, folder)
        yield Rsyslog(folder, port, process)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"rsyslogd did not start: {(folder / 'rsyslogd.out').read_text()}")


def certificates(folder: Path) -> None:
    """`ca.pem`, and from it `server` and `client`; `stranger` is from another authority."""
    folder.mkdir(parents=True, exist_ok=True)
    openssl = presence.program("openssl", "openssl")

    def run(*arguments: str) -> None:
        subprocess.run([str(openssl), *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("ca", "other"):
        files = ["-keyout", f"{authority}.key", "-out", f"{authority}.pem"]
        run("req", "-x509", *key, *files, "-days", "2", "-subj", f"/CN=test {authority}")
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "other")):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signed = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "2"]
        run("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", "-extfile", "names")
