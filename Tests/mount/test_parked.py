"""A network that stands still freezes its own readers only, and those for a bounded time."""

from __future__ import annotations

import errno
import mmap
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from samples import MEBIBYTE, noise

STALLED = noise(80 * MEBIBYTE, seed=5)
HEALTHY = noise(64 * MEBIBYTE, seed=6)
PARKED_READERS = 64


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo({"stalled.bin": STALLED, "healthy.bin": HEALTHY})


@pytest.fixture
def stalled_mount(hub, new_mount, sample):
    """A mount on which every read of stalled.bin is parked, 64 of them already."""
    mount = new_mount(f"hf://{sample}", "--read-timeout", 20)
    assert (mount.path / "healthy.bin").read_bytes() == HEALTHY
    forget_pages(mount.path / "healthy.bin")
    hub.add_fault("--stall", "--path", "*stalled.bin*")
    hub.add_fault("--stall", "--class", "cdn")
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READY + PREAD, mount.path / "stalled.bin", str(number * MEBIBYTE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(PARKED_READERS)
    ]
    # All begin together: on a slow machine the first would time out before the last has started.
    for reader in readers:
        assert reader.stdout.readline() == b"ready\n"
    for reader in readers:
        reader.stdin.close()
    wait_until_blocked(readers)
    yield mount, readers
    hub.clear_faults()
    for reader in readers:
        reader.kill()
        reader.wait(timeout=30)


def forget_pages(path: Path) -> None:
    """Makes the kernel forget the pages it has of one file."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


READY = """
import sys
print("ready", flush=True)
sys.stdin.read()
"""

PREAD = """
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
try:
    os.pread(file, 4096, int(sys.argv[2]))
except OSError as error:
    sys.exit(error.errno)
"""


def wait_until_blocked(processes: list[subprocess.Popen], timeout: float = 60) -> None:
    """Waits until each process sleeps inside a read of the mount."""
    deadline = time.monotonic() + timeout
    waiting = list(processes)
    while waiting:
        waiting = [process for process in waiting if not is_blocked(process.pid)]
        states = [(process.poll(), syscall(process.pid)) for process in waiting]
        assert time.monotonic() < deadline, f"these never came to wait: {states}"
        time.sleep(0.05)


def is_blocked(pid: int) -> bool:
    """True while the process is in pread64 (17 on x86-64, 67 on AArch64), asleep."""
    return syscall(pid) in ("17", "67")


def syscall(pid: int) -> str:
    """The number of the system call a process sleeps in, as the kernel shows it."""
    with open(f"/proc/{pid}/syscall") as file:
        return file.read().split()[0]


def test_other_files_and_stat_are_not_held_up(stalled_mount):
    mount, readers = stalled_mount
    for _ in range(20):
        assert os.stat(mount.path / "stalled.bin").st_size == len(STALLED)
        assert {"healthy.bin", "stalled.bin"} <= set(os.listdir(mount.path))
    # Every byte of the other file comes from the cache through the daemon, while 64 reads wait.
    assert (mount.path / "healthy.bin").read_bytes() == HEALTHY
    assert all(reader.poll() is None for reader in readers)


def test_every_parked_read_ends_with_eio(stalled_mount):
    _, readers = stalled_mount
    assert {reader.wait(timeout=60) for reader in readers} == {errno.EIO}


def test_control_c_ends_a_stalled_cat(stalled_mount):
    mount, _ = stalled_mount
    # Whoever started the tests in the background has them, and what they start, ignore SIGINT.
    cat = ["env", "--default-signal=INT", "cat", mount.path / "stalled.bin"]
    cat = subprocess.Popen(cat, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    assert cat.poll() is None
    cat.send_signal(signal.SIGINT)
    # Well before the read time-out of 20 s.
    assert cat.wait(timeout=5) == -signal.SIGINT


def test_a_program_that_handles_sigint_gets_eio(stalled_mount):
    mount, readers = stalled_mount
    program = "import signal; signal.signal(signal.SIGINT, lambda *_: None)\n" + PREAD
    # A page that another reader waits for, too: the kernel lets them ask one after the other.
    reader = subprocess.Popen([sys.executable, "-c", program, mount.path / "stalled.bin", "0"])
    wait_until_blocked([reader])
    reader.send_signal(signal.SIGINT)
    assert reader.wait(timeout=60) == errno.EIO
    assert readers[0].wait(timeout=60) == errno.EIO


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon_in_time(stalled_mount, number):
    mount, readers = stalled_mount
    mount.signal(number)
    assert mount.wait(timeout=10) == 0
    assert not mount.is_mounted()
    for reader in readers:
        assert reader.wait(timeout=10) in (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED)


def test_unmounting_ends_in_time_once_the_readers_have_gone(stalled_mount):
    mount, readers = stalled_mount
    for reader in readers:
        reader.kill()
        reader.wait(timeout=10)
    # Killed readers leave, although the daemon has not answered them.
    assert mount.unmount() == 0


def test_random_pages_of_a_bad_link(hub, new_mount, sample):
    """16 threads, mmap, 100 ms away, one answer in a hundred stalls."""
    mount = new_mount(f"hf://{sample}", "--read-timeout", 60)
    hub.add_fault("--link", "rtt=100ms,window=2900KB")
    hub.add_fault("--stall", "--class", "cdn", "--percent", 1)
    failures = []

    def read_pages(seed: int) -> None:
        pages = random.Random(seed)
        with open(mount.path / "healthy.bin", "rb") as file:
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
                for _ in range(20):
                    offset = pages.randrange(len(HEALTHY) // 4096) * 4096
                    if mapping[offset : offset + 4096] != HEALTHY[offset : offset + 4096]:
                        failures.append(offset)

    threads = [threading.Thread(target=read_pages, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=200)
        assert not thread.is_alive()
    assert not failures
