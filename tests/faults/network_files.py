"""A folder as a network file system shows it: a FUSE server in a process of its own, read only.

    python network_files.py FOLDER MOUNTPOINT

Who looks through the mount point never hears of a change (inotify knows only what is done through it), sees sizes and times
that are up to `ATTRIBUTES` seconds old and times in steps of `TIME_STEP` seconds, reads zeros where bytes are younger than
`DATA_LATE` seconds, and gets ESTALE from a file that was deleted at the server, even one that it holds open.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

ATTRIBUTES = 1
TIME_STEP = 2
DATA_LATE = 0.3
IN = struct.Struct("<IIQQIIIHH")
OUT = struct.Struct("<IiQ")
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 27, 28, 29, 36, 42
DIRECT_IO = 1
ROOT = 1


class Node:
    """A file or folder of the server, held as a file handle holds it: over renames, until it is deleted."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)
        self.grown: list[tuple[float, int]] = []  # when it was first seen to be so long

    def status(self) -> os.stat_result:
        found = os.fstat(self.descriptor)
        if not found.st_nlink:
            raise OSError(errno.ESTALE, "deleted at the server")
        if not self.grown or self.grown[-1][1] != found.st_size:
            self.grown.append((time.monotonic(), found.st_size))
        return found

    def read(self, size: int, offset: int) -> bytes:
        self.status()
        data = os.pread(self.descriptor, size, offset)
        past = [known for at, known in self.grown if time.monotonic() - at >= DATA_LATE]
        there = max(0, min(len(data), (past[-1] if past else 0) - offset))
        return data[:there] + bytes(len(data) - there)


class Server:
    """Answers the kernel's requests, one at a time."""

    def __init__(self, folder: Path, device: int) -> None:
        self._folder, self._device = folder, device
        self._nodes: dict[int, Node] = {ROOT: Node(folder)}
        self._numbers: dict[tuple[int, int], int] = {}

    def serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, 1 << 20)
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue
                raise
            _, what, unique, node, *_ = IN.unpack_from(request)
            if what in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            try:
                code, body = 0, self._answer(what, node, request[IN.size :])
            except OSError as error:
                code, body = -(error.errno or errno.EIO), b""
            with suppress(OSError):  # whoever asked is gone
                os.write(self._device, OUT.pack(OUT.size + len(body), code, unique) + body)

    def _answer(self, what: int, number: int, body: bytes) -> bytes:
        if what == INIT:
            major, minor = struct.unpack_from("<II", body)
            return struct.pack("<IIIIHHIIHHI28x", major, min(minor, 31), 1 << 16, 0, 12, 9, 1 << 16, 1, 0, 0, 0)
        if what == LOOKUP:
            return self._look_up(body.partition(b"\0")[0].decode())
        if what == GETATTR:
            return struct.pack("<QII", ATTRIBUTES, 0, 0) + self._attributes(number)
        if what in (OPEN, OPENDIR):
            self._nodes[number].status()
            return struct.pack("<QII", number, DIRECT_IO if what == OPEN else 0, 0)
        if what == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self._nodes[number].read(size, offset)
        if what == READDIR:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self._names(offset, size)
        if what == STATFS:
            return bytes(80)
        if what in (RELEASE, RELEASEDIR, FLUSH):
            return b""
        raise OSError(errno.ENOSYS, "not here")

    def _look_up(self, name: str) -> bytes:
        path = self._folder / name
        found = path.stat()
        key = found.st_dev, found.st_ino
        number = self._numbers.get(key)
        if number is None or not os.fstat(self._nodes[number].descriptor).st_nlink:
            number = max(self._nodes) + 1  # an inode that is given out again is another file
            self._nodes[number], self._numbers[key] = Node(path), number
        return struct.pack("<QQQQII", number, 0, ATTRIBUTES, ATTRIBUTES, 0, 0) + self._attributes(number)

    def _attributes(self, number: int) -> bytes:
        found = self._nodes[number].status()
        changed = int(found.st_mtime) // TIME_STEP * TIME_STEP
        times = (changed, changed, changed, 0, 0, 0)
        rest = (found.st_mode, found.st_nlink, found.st_uid, found.st_gid, 0, 4096, 0)
        return struct.pack("<QQQQQQIIIIIIIIII", number, found.st_size, found.st_size // 512 + 1, *times, *rest)

    def _names(self, offset: int, size: int) -> bytes:
        listed = b""
        for place, name in enumerate(sorted(path.name for path in self._folder.iterdir())[offset:], offset + 1):
            raw = name.encode()
            entry = struct.pack("<QQII", place + 100, place, len(raw), stat.S_IFREG >> 12) + raw
            entry += bytes(-len(entry) % 8)
            if len(listed) + len(entry) > size:
                break
            listed += entry
        return listed


def main() -> None:
    folder, mountpoint = Path(sys.argv[1]), sys.argv[2]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    nosuid_nodev_readonly = 2 | 4 | 1
    if libc.mount(b"network", mountpoint.encode(), b"fuse.network", nosuid_nodev_readonly, options):
        sys.exit(f"cannot be mounted: {os.strerror(ctypes.get_errno())}")
    Server(folder, device).serve()


if __name__ == "__main__":
    main()
