"""What 64 MiB read in order cost, in counts: requests to the Hub, the kernel's requests to the daemon,
and the daemon's system calls."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contents import requests, resident_bytes, wait_until_sealed
from samples import MEBIBYTE, noise

pytestmark = pytest.mark.alone

SIZE = 64 * MEBIBYTE
DATA = noise(SIZE, seed=80)

# What the kernel asks for at a time when nobody says otherwise (decision 0006).
KERNEL_READ_BYTES = 128 << 10
BLOCK_BYTES = 32 << 10
# The window begins with requests of 128 KiB and is soon large enough for those of 4 MiB.
RANGE_REQUESTS_MAX = 48
# One to the Hub, and two more where a signed URL is refused or too old.
RESOLVES_MAX = 3


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo({"model.bin": DATA})


@pytest.fixture
def mount(new_mount, sample):
    mount = new_mount(f"hf://{sample}")
    # The first close of a mount asks the daemon whether it wants to know of closes; then it is listed.
    os.close(os.open(mount.path / "model.bin", os.O_RDONLY))
    return mount


@contextlib.contextmanager
def opened(mount, flags: int = 0) -> Iterator[int]:
    file = os.open(mount.path / "model.bin", os.O_RDONLY | flags)
    try:
        yield file
    finally:
        os.close(file)


def read_in_order(file: int) -> None:
    """In pieces of 1 MiB, into memory that O_DIRECT takes as well."""
    with mmap.mmap(-1, MEBIBYTE) as pages, memoryview(pages) as buffer:
        for offset in range(0, SIZE, MEBIBYTE):
            assert os.preadv(file, [buffer], offset) == MEBIBYTE
            assert buffer == DATA[offset : offset + MEBIBYTE]


def test_a_first_read_in_order(hub, mount):
    with opened(mount) as file:
        hub.reset_stats()
        read_in_order(file)
    assert hub.bytes_sent("cdn") == SIZE
    assert 1 <= hub.requests("cdn") <= RANGE_REQUESTS_MAX
    assert 1 <= hub.stats()["endpoints"]["resolve"] <= RESOLVES_MAX
    # Fewer would be larger ones, and more would be smaller ones; one is cut in two where the kernel's pages
    # are wanted elsewhere meanwhile.
    assert 0 <= requests(mount, "read") - SIZE // KERNEL_READ_BYTES <= 8


def test_a_first_read_in_order_without_the_kernels_pages(hub, mount):
    with opened(mount, os.O_DIRECT) as file:
        hub.reset_stats()
        read_in_order(file)
    assert hub.bytes_sent("cdn") == SIZE
    assert hub.requests("cdn") <= RANGE_REQUESTS_MAX
    assert hub.stats()["endpoints"]["resolve"] <= RESOLVES_MAX
    # What the program asks for at a time is what the kernel asks for.
    assert requests(mount, "read") == SIZE // MEBIBYTE


class SystemCalls:
    """Those of a daemon, counted while something is done."""

    def __init__(self, mount):
        self.mount = mount
        self.counts: dict[str, int] = {}

    def __getitem__(self, names: str) -> int:
        return sum(self.counts.get(name, 0) for name in names.split("|"))

    def __enter__(self) -> "SystemCalls":
        self._report = self.mount.folder / "strace"
        self._tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-o", self._report, "-p", str(self.mount.process.pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        status = Path(f"/proc/{self.mount.process.pid}/task")
        deadline = time.monotonic() + 30
        while any(not self._is_traced(task) for task in status.iterdir()):
            assert self._tracer.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        return self

    @staticmethod
    def _is_traced(task: Path) -> bool:
        try:
            return "TracerPid:\t0\n" not in (task / "status").read_text()
        except OSError:
            return True  # It has ended.

    def __exit__(self, *_) -> None:
        self._tracer.send_signal(signal.SIGINT)
        self._tracer.wait(timeout=30)
        for line in self._report.read_text().splitlines():
            # time, seconds, microseconds a call, calls, errors if any, name
            words = line.split()
            if len(words) in (5, 6) and words[0][0].isdigit() and words[-1] != "total":
                self.counts[words[-1]] = int(words[3])


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@needs_strace
def test_system_calls_of_a_first_read(mount):
    with opened(mount) as file, SystemCalls(mount) as calls:
        read_in_order(file)
        wait_until_sealed(mount, DATA)
    kernel_reads = SIZE // KERNEL_READ_BYTES
    # Each block is written once, alone or with its neighbours.
    assert calls["pwrite64|pwritev|pwritev2"] <= SIZE // BLOCK_BYTES + 16
    # An answer takes one read; and the whole is hashed, in pieces.
    assert calls["pread64|preadv|preadv2"] <= 2 * kernel_reads + SIZE // BLOCK_BYTES
    # A request of the kernel is taken by one read and answered by one write; wakings cost some more.
    assert calls["read|readv"] <= 6 * kernel_reads, calls.counts
    assert calls["writev|write"] <= 4 * kernel_reads, calls.counts


@needs_strace
def test_system_calls_of_what_is_in_the_cache(hub, mount):
    """Open since before it was whole, so that the daemon serves it; the kernel has forgotten it."""
    with opened(mount) as file:
        read_in_order(file)
        wait_until_sealed(mount, DATA)
        mount.drop_page_cache()
        hub.reset_stats()
        before = requests(mount, "read")
        with SystemCalls(mount) as calls:
            read_in_order(file)
        assert hub.requests() == 0
        kernel_reads = SIZE // KERNEL_READ_BYTES
        reads = requests(mount, "read") - before
        assert 0 <= reads - kernel_reads <= 8
        assert calls["pread64|preadv|preadv2"] == reads, calls.counts
        assert calls["pwrite64|pwritev|pwritev2"] == 0
        assert kernel_reads <= calls["writev|write"] <= 1.25 * kernel_reads, calls.counts
        assert kernel_reads <= calls["read|readv"] <= 2.25 * kernel_reads, calls.counts


def test_what_the_kernel_has_costs_the_daemon_nothing(hub, mount):
    """As vmtouch and its like read a file again and again."""
    with opened(mount) as file:
        read_in_order(file)
        wait_until_sealed(mount, DATA)
        hub.reset_stats()
        costs = [cost_of_a_look(mount, file) for _ in range(5)]
        # Others who run beside this test may empty the kernel's memory meanwhile.
        assert 0 in costs
        assert hub.requests() == 0


def cost_of_a_look(mount, file: int) -> int:
    """How often the daemon is asked for bytes while all of them are read again in two ways."""
    read_in_order(file)
    while resident_bytes(mount.path / "model.bin") < SIZE:
        read_in_order(file)
    before = requests(mount, "read")
    read_in_order(file)
    read_by_mapping(file)
    return requests(mount, "read") - before


def read_by_mapping(file: int) -> None:
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as pages:
        assert pages[:] == DATA


def read_by_sendfile(file: int) -> None:
    offset = 0
    with open(os.memfd_create("copy"), "r+b") as copy:
        while count := os.sendfile(copy.fileno(), file, offset, SIZE - offset):
            offset += count
        copy.seek(0)
        assert copy.read() == DATA


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel takes files from root alone")
@pytest.mark.parametrize(
    ("read", "flags"),
    [(read_in_order, 0), (read_in_order, os.O_DIRECT), (read_by_mapping, 0), (read_by_sendfile, 0)],
    ids=["read", "direct", "mmap", "sendfile"],
)
def test_after_a_restart_the_daemon_is_asked_to_open_and_no_more(
    hub, mount, read: Callable[[int], None], flags: int
):
    (mount.path / "model.bin").read_bytes()
    wait_until_sealed(mount, DATA)
    mount.unmount()
    mount.restart()
    mount.drop_page_cache()
    hub.reset_stats()
    with opened(mount, flags) as file:
        read(file)
    assert requests(mount, "open") == 1
    assert requests(mount, "read") == 0
    assert hub.requests("resolve", "cdn") == 0
