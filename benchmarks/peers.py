"""Named peers that Debian has: rsyslog and syslog-ng, which parse the same lines, split the URI and write a record to a file.

They do less than Regsight: durations and addresses stay text, there is no action, outcome or id.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

_RSYSLOG_FIELDS = {
    "distribution-json": {
        "time": "$!time", "method": "$!http.request.method", "actor": "$!auth.user.name", "client": "$!http.request.remoteaddr",
        "status": "$!http.response.status", "bytes": "$!http.response.written", "duration": "$!http.response.duration",
        "user_agent": "$!http.request.useragent",
    },
    "nginx-combined": {
        "time": "$!time", "method": "$!method", "actor": "$!actor", "client": "$!client", "status": "$!status",
        "bytes": "$!bytes", "user_agent": "$!ua",
    },
}  # fmt: skip
_RULE = (
    'version=2\nrule=:%client:word% %ident:word% %actor:word% [%time:char-to:]%] "%method:word% %uri:word% %proto:char-to:"%" '
    '%status:number% %bytes:word% "%ref:char-to:"%" "%ua:char-to:"%"\n'
)
_ITS_LIBRARIES = ("libivykis0", "libjson-c5", "libnet1", "libpcre3", "libwrap0")
_URI = "^/v2/(.+)/(manifests|blobs|tags)/([^?]*)"


def rsyslog(name: str, source: Path, target: Path, folder: Path) -> list[str] | None:
    """The command, its configuration written; None where it is not installed."""
    program = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    if not Path(program).exists():
        return None
    uri = "$!http.request.uri" if name == "distribution-json" else "$!uri"
    split = "".join(
        f'set $!{part} = re_extract({uri}, "{_URI}", 0, {at}, "");'
        for at, part in enumerate(("repository", "kind", "reference"), 1)
    )
    fields = _RSYSLOG_FIELDS[name] | {part: f"$!{part}" for part in ("repository", "kind", "reference")}
    properties = "\n".join(f'property(outname="{key}" name="{value}" format="jsonf")' for key, value in fields.items())
    if name == "distribution-json":
        module, parse = "mmjsonparse", 'action(type="mmjsonparse" cookie="")'
    else:
        rules = folder / "rules"
        rules.write_text(_RULE)
        module, parse = "mmnormalize", f'action(type="mmnormalize" rulebase="{rules}" useRawMsg="on")'
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}" maxMessageSize="64k")\nmodule(load="imfile" mode="inotify")\nmodule(load="{module}")\n'
        f'template(name="o" type="list" option.jsonf="on") {{\n{properties}\n}}\n'
        f'ruleset(name="r" queue.type="linkedList" queue.size="100000" queue.dequeueBatchSize="2048") {{ {parse} {split}\n'
        f'action(type="omfile" file="{target}" template="o" ioBufferSize="256k" asyncWriting="off") }}\n'
        f'input(type="imfile" file="{source}" tag="reg" ruleset="r" freshStartTail="off")\n'
    )
    return [program, "-n", "-f", str(config), "-i", str(folder / "pid")]


@cache
def _unpacked_syslog_ng() -> Path | None:
    """Debian's package, unpacked into a folder of its own: installed it would push rsyslog out. None where there is none."""
    if shutil.which("apt-get") is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="regsight-syslog-ng-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        ["apt-get", "download", "-qq", "syslog-ng-core", *_ITS_LIBRARIES], cwd=folder, capture_output=True, check=False
    )
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], capture_output=True, check=False)
    return folder if (folder / "usr/sbin/syslog-ng").exists() else None


def syslog_ng(name: str, source: Path, target: Path, folder: Path) -> list[str] | None:
    installed, unpacked = shutil.which("syslog-ng"), None
    if installed is None:
        unpacked = _unpacked_syslog_ng()
        if unpacked is None:
            return None
    if name == "distribution-json":
        parser = 'parser p { json-parser(prefix(".j.")); };'
        prefix, uri = ".j.http.", ".j.http.request.uri"
        names = {
            "time": ".j.time", "method": prefix + "request.method",
            "actor": ".j.auth.user.name", "client": prefix + "request.remoteaddr",
            "status": prefix + "response.status", "bytes": prefix + "response.written", "duration": prefix + "response.duration",
            "user_agent": prefix + "request.useragent",
        }  # fmt: skip
    else:
        parser = (
            'parser p { csv-parser(prefix("a.") columns("ip","id","user","ts","req","status","bytes","ref","ua") '
            'delimiters(" ") quote-pairs(\'""[]\')); csv-parser(prefix("a.") columns("method","uri","proto") '
            'delimiters(" ") template("${a.req}")); };'
        )
        uri = "a.uri"
        names = {
            "time": "a.ts",
            "method": "a.method",
            "actor": "a.user",
            "client": "a.ip",
            "status": "a.status",
            "bytes": "a.bytes",
            "user_agent": "a.ua",
        }
    expression = "^/v2/(?<urepo>.+?)/(?<ukind>manifests|blobs|tags)/(?<uref>[^?]*)"
    names |= {"repository": "urepo", "kind": "ukind", "reference": "uref"}
    pairs = " ".join(f'{key}=\\"${{{value}}}\\"' for key, value in names.items())
    config = folder / "syslog-ng.conf"
    config.write_text(
        "@version: 3.38\noptions { stats-freq(0); threaded(yes); flush-lines(1000); log-fifo-size(200000); use-dns(no); };\n"
        f'source s {{ file("{source}" flags(no-parse) log-msg-size(65536) '
        "log-fetch-limit(2000) log-iw-size(100000) follow-freq(0.1)); };\n"
        f"{parser}\nparser q {{ regexp-parser(patterns('{expression}') template(\"${{{uri}}}\")); }};\n"
        f'destination d {{ file("{target}" template("$(format-json --scope none {pairs})\\n")); }};\n'
        "log { source(s); parser(p); if { parser(q); }; destination(d); flags(flow-control); };\n"
    )
    if installed:
        base = [installed]
    else:
        assert unpacked is not None
        own = unpacked / "usr/lib/syslog-ng"
        found = ":".join({str(path.parent) for path in unpacked.rglob("*.so.*")})
        base = ["env", f"LD_LIBRARY_PATH={found}", str(unpacked / "usr/sbin/syslog-ng")]
        base += ["--module-path", str(next(own.glob("[0-9]*")))]
    return [
        *base,
        "-F",
        "--no-caps",
        "-f",
        str(config),
        "-R",
        str(folder / "persist"),
        "-c",
        str(folder / "ctl"),
        "-p",
        str(folder / "ng.pid"),
    ]


PEERS = {"rsyslog": rsyslog, "syslog-ng": syslog_ng}


def cpu_per_million(peer: str, name: str, source: Path, lines: int, seconds: float = 120.0) -> float | None:
    """CPU seconds for a million lines, from start to the last record in the file; None where the peer is not installed.

    Raises:
        RuntimeError: it did not write all records in time.
    """
    folder = Path(tempfile.mkdtemp(prefix="regsight-bench-"))
    target = folder / "out"
    command = PEERS[peer](name, source, target, folder)
    if command is None:
        return None
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + seconds
        seen, at = 0, 0
        while seen < lines:
            if time.monotonic() > deadline or child.poll() is not None:
                raise RuntimeError(f"{peer} wrote {seen} of {lines} records")
            time.sleep(0.05)
            if target.exists():
                with target.open("rb") as file:
                    file.seek(at)
                    new = file.read()
                seen, at = seen + new.count(b"\n"), at + len(new)
        return _cpu(child.pid) / lines * 1e6
    finally:
        child.terminate()
        child.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
