"""A disk whose power can be cut: an ext4 file system in a file.

What is written to it stands in the machine's memory until the kernel, or an fsync, brings it to the file. A copy of the
file at any moment is what a cut would have left: writes without fsync are lost, renames and their data may be there one
without the other, and the journal is half done. The copy is mounted in its place, which replays the journal, as at a start.
"""

from __future__ import annotations

import filecmp
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.bench import Collector

MEGABYTES = 160


class Disk:
    """Mounted at `at`; `options` are ext4's."""

    def __init__(self, folder: Path, options: str) -> None:
        self.at, self._image, self._options = folder / "disk", folder / "disk.img", options
        self.at.mkdir()
        with self._image.open("wb") as image:
            image.truncate(MEGABYTES << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", str(self._image)], check=True)
        self._mount()

    def _mount(self) -> None:
        command = ["mount", "-o", f"loop,{self._options}", str(self._image), str(self.at)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a file cannot be mounted here: {done.stderr.strip()}")

    def cut(self, collector: Collector) -> None:
        """The power is gone: nobody gets a word in, and only what was on the medium is there afterwards."""
        collector.process.send_signal(signal.SIGSTOP)
        left = self._medium()
        collector.kill()
        collector.process.returncode = 0
        self.unmount()
        left.rename(self._image)
        self._mount()

    def _medium(self) -> Path:
        """A copy during which nothing was written: two in a row are the same."""
        one, two = self._image.with_name("one.img"), self._image.with_name("two.img")
        shutil.copyfile(self._image, one)
        for _ in range(50):
            shutil.copyfile(self._image, two)
            if filecmp.cmp(one, two, shallow=False):
                return two
            two.replace(one)
        raise AssertionError("the file system is written all the time")

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.at)], check=False, capture_output=True)


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Disk]:
    made = Disk(folder, options)
    try:
        yield made
    finally:
        made.unmount()
