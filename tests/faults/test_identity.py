"""Which file is which: inodes that come again, equal beginnings, links, files that go and come."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from faults.bench import Bench, Collector, size


@pytest.mark.fault("F09")
@pytest.mark.parametrize("equal_head", [False, True])
def test_an_inode_that_is_given_out_again(bench: Bench, equal_head: bool) -> None:
    """Deleted and created until the inode repeats, with another first line and with the same."""
    head = b"".join(b"# banner, the same in every file\n" for _ in range(40)) if equal_head else b""
    repeats, seen = 0, set()
    with bench.collecting() as collector:
        for _ in range(40):
            bench.log.write_bytes(head + bench.truth.lines(30))
            bench.until_all(collector)
            inode = bench.log.stat().st_ino
            repeats += inode in seen
            seen.add(inode)
            bench.runs = repeats
            if repeats >= 5:
                break
            bench.log.unlink()
            time.sleep(0.05)
        bench.until_still(1)
    # With the same first line, offsets of one file and of the next are those of one stream.
    bench.verdict(dead_letters=None, ordered=not equal_head)


@pytest.mark.fault("F10")
def test_two_files_with_the_same_beginning(bench: Bench) -> None:
    """A banner of 4 KiB in front of both; they part ways behind it, while they are followed and over a restart."""
    banner = b"# this host is watched; go away if you do not belong here\n" * 80
    paths = [bench.folder / "one.log", bench.folder / "two.log"]
    for path in paths:
        path.write_bytes(banner)
    for _ in range(3):
        with bench.collecting(*paths) as collector:
            for _ in range(10):
                for path in paths:
                    with path.open("ab") as file:
                        file.write(bench.truth.lines(20))
                time.sleep(0.05)
            bench.until_all(collector)
        for path in paths:
            with path.open("ab") as file:
                file.write(bench.truth.lines(7))
    with bench.collecting(*paths) as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 3
    bench.verdict(dead_letters=None, ordered=False)  # the parts of both files have offsets of their own


@pytest.mark.fault("F12")
def test_a_link_that_is_pointed_elsewhere(bench: Bench) -> None:
    """30 targets of 100 lines; the link and its targets are both matched, one link leads nowhere, one to itself."""
    link = bench.folder / "current.log"
    (bench.folder / "part-loop.log").symlink_to(bench.folder / "part-loop.log")
    (bench.folder / "part-dangling.log").symlink_to(bench.folder / "nowhere")
    with bench.collecting(link, bench.folder / "part-*.log") as collector:
        for number in range(30):
            target = bench.folder / f"part-{number:02}.log"
            target.write_bytes(bench.truth.lines(100))
            (bench.folder / "next").symlink_to(target)
            (bench.folder / "next").rename(link)
            time.sleep(0.05)
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 30
    bench.verdict()


@pytest.mark.fault("F13")
def test_deleted_while_it_is_read(bench: Bench) -> None:
    """What is written to a deleted file is read; the folder is deleted and comes again; rights are taken and given back."""
    folder = bench.folder / "logs"
    with bench.collecting(folder / "*.log") as collector:
        for _ in range(size(3, 10)):
            folder.mkdir()
            with (folder / "a.log").open("ab", buffering=0) as file:
                file.write(bench.truth.lines(50))
                bench.until_all(collector)
                (folder / "a.log").unlink()
                folder.rmdir()
                file.write(bench.truth.lines(50))
                bench.until_all(collector)
        bench.until_still(1)
    bench.runs = size(3, 10)
    bench.verdict()


@pytest.mark.fault("F13")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a process to another user")
def test_rights_that_are_taken_and_given_back(bench: Bench, tmp_path: Path) -> None:
    """A collector that is not root reads on where it was once it may again."""
    setpriv = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    bench.folder = Path("/var/tmp") / f"regsight-faults-{os.getpid()}"
    bench.folder.mkdir(mode=0o777)
    try:
        bench.log, bench.url = bench.folder / "access.log", f"delta:{bench.folder / 'data'}"
        os.chown(bench.folder, 65534, 65534)
        probe = ("setpriv", *setpriv[1:], os.environ.get("PYTHON", "true"))
        if os.spawnvp(os.P_WAIT, probe[0], probe) != 0:
            pytest.skip("setpriv does not work here")
        bench.log.write_bytes(bench.truth.lines(50))
        try:
            collector = Collector(bench.folder, bench.url, bench.log, wrapper=setpriv)
            bench.until(lambda: bench.stored() >= 50 or not collector.alive(), "reading")
            if not collector.alive():
                pytest.skip("another user cannot run this Python")
            collector.stop()
            bench.log.chmod(0)
            with bench.log.open("ab") as file:
                file.write(bench.truth.lines(50))
            collector = Collector(bench.folder, bench.url, bench.log, wrapper=setpriv)
            time.sleep(3)
            assert collector.alive() and bench.stored() == 50
            bench.log.chmod(0o644)
            bench.until_all(collector)
            collector.stop()
        finally:
            collector.kill()
        bench.verdict()
    finally:
        bench.close()
        bench._store = None
        import shutil

        shutil.rmtree(bench.folder)


@pytest.mark.fault("F14")
def test_size_before_data(bench: Bench) -> None:
    """As network file systems show it: zeros at the end that become text, and times that are two seconds coarse."""
    with bench.log.open("ab", buffering=0) as file, bench.collecting() as collector:
        file.write(bench.truth.lines(20))
        bench.until_all(collector)
        for _ in range(size(5, 20)):
            lines = bench.truth.lines(20)
            end = bench.log.stat().st_size
            os.truncate(bench.log, end + len(lines))
            coarse = time.time() // 2 * 2
            os.utime(bench.log, (coarse, coarse))
            time.sleep(0.3)
            with bench.log.open("r+b", buffering=0) as late:
                late.seek(end)
                late.write(lines)
            os.utime(bench.log, (coarse, coarse))
            bench.until_all(collector)
        bench.until_still(1)
    bench.runs = size(5, 20)
    bench.verdict()
    assert not bench.gaps()
