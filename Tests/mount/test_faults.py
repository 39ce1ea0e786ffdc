"""Every fault of docs/ERRORS.md, seen through a mount: right bytes or the errno of the table.

The table in the document is read by `test_the_document_lists_these_faults`, so that the two cannot
drift apart.
"""

from __future__ import annotations

import errno
import os
import re
import time

import pytest
from localhub import REPOSITORY
from samples import MEBIBYTE, noise, text

LARGE = noise(24 * MEBIBYTE, seed=3)
# LFS, yet small enough to be verified before its first byte is served.
MIDDLE = noise(6 * MEBIBYTE, seed=2)
SMALL = text(20_000, seed=4)

# Longer than any answer may take with the time-outs the mount gets here.
BOUND_SECONDS = 60


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo({"large.bin": LARGE, "middle.bin": MIDDLE, "small.txt": SMALL})


@pytest.fixture(scope="module")
def many(import_repo) -> str:
    files = {f"a/{number}": b"x" for number in range(2200)}
    return import_repo(files | {"dir/inner.txt": b"inner\n"})


@pytest.fixture
def mount(new_mount, sample):
    return new_mount(f"hf://{sample}", "--read-timeout", 6)


def read(path) -> bytes:
    """The file's bytes, or the OSError, within the bound."""
    started = time.monotonic()
    try:
        return path.read_bytes()
    finally:
        assert time.monotonic() - started < BOUND_SECONDS


def wait_for(condition) -> None:
    """Waits until the condition holds; until then it may fail with EIO."""
    deadline = time.monotonic() + BOUND_SECONDS
    while True:
        try:
            if condition():
                return
        except OSError as error:
            assert error.errno == errno.EIO
        assert time.monotonic() < deadline
        time.sleep(0.2)


# Faults that come a few times and are gone: the reader never learns of them.
PASSING = {
    "429 with a reset in 1 s": ("--429", 1, "--class", "cdn", "--count", 2),
    "429 on resolve": ("--429", 1, "--class", "resolve", "--count", 2),
    "503 from the CDN": ("--status", 503, "--class", "cdn", "--count", 3),
    "500 from resolve": ("--status", 500, "--class", "resolve", "--count", 2),
    "body cut": ("--cut", 100_000, "--class", "cdn", "--count", 4),
    "connection reset": ("--reset", "--at", 50_000, "--class", "cdn", "--count", 4),
    "reset before the answer": ("--reset", "--class", "resolve", "--count", 2),
    "stall in the body": ("--stall", "--at", 70_000, "--class", "cdn", "--count", 1),
    "stall before the answer": ("--stall", "--class", "cdn", "--count", 1),
    "Range ignored once": ("--ignore-range", "--class", "cdn", "--count", 1),
    "gzip body once": ("--gzip", "--class", "cdn", "--count", 1),
    "expired URL": ("--expired", "--class", "cdn", "--count", 1),
    "delay": ("--delay", "700ms", "--class", "cdn", "--count", 4),
}

# Faults that do not end: an errno, within the bound, and never ENOENT.
LASTING = {
    "429 for ever": (("--429", 300, "--class", "cdn"), errno.EIO),
    "503 for ever": (("--status", 503, "--class", "cdn"), errno.EIO),
    "500 on resolve for ever": (("--status", 500, "--class", "resolve"), errno.EIO),
    "stalled for ever": (("--stall", "--class", "cdn"), errno.EIO),
    "reset for ever": (("--reset", "--class", "cdn"), errno.EIO),
    "gzip for ever": (("--gzip", "--class", "cdn"), errno.EIO),
    "403 for ever": (("--expired", "--class", "cdn"), errno.EACCES),
    "wrong bytes": (("--corrupt", "--class", "cdn"), errno.EIO),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_seen(hub, mount, name):
    hub.add_fault(*PASSING[name])
    assert read(mount.path / "large.bin") == LARGE
    assert read(mount.path / "small.txt") == SMALL


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_lasts_is_an_errno(hub, mount, name):
    fault, expected = LASTING[name]
    hub.add_fault(*fault)
    with pytest.raises(OSError) as raised:
        read(mount.path / "middle.bin")
    assert raised.value.errno == expected, os.strerror(raised.value.errno)


@pytest.mark.parametrize("fault", [("--status", 503), ("--429", 8), ("--reset",)])
def test_a_listing_that_fails_never_says_enoent(hub, new_mount, many, fault):
    # In a repo of more than two pages the root is listed at the start, and a directory below it when
    # it is asked for.
    mount = new_mount(f"hf://{many}", "--read-timeout", 6)
    hub.add_fault(*fault, "--path", "*/tree/*")
    with pytest.raises(OSError) as raised:
        os.stat(mount.path / "dir" / "inner.txt")
    assert raised.value.errno == errno.EIO
    hub.clear_faults()
    # A quota that is used up stays so until the time the Hub has named.
    wait_for(lambda: (mount.path / "dir" / "inner.txt").read_bytes() == b"inner\n")


def test_after_a_lasting_fault_the_file_reads_again(hub, mount):
    hub.add_fault("--status", 503, "--class", "cdn")
    with pytest.raises(OSError):
        read(mount.path / "large.bin")
    hub.clear_faults()
    # What has just failed fails at once for a moment: see RecentFailures.
    wait_for(lambda: read(mount.path / "large.bin") == LARGE)


def test_wrong_bytes_of_a_small_file_are_never_seen(hub, mount):
    hub.add_fault("--corrupt", "--path", "*small.txt*")
    with pytest.raises(OSError) as raised:
        read(mount.path / "small.txt")
    assert raised.value.errno == errno.EIO
    hub.clear_faults()
    assert read(mount.path / "small.txt") == SMALL


def test_wrong_bytes_in_a_large_file_end_its_handles(hub, mount):
    hub.add_fault("--corrupt", "--class", "cdn", "--at", 1000, "--length", 1, "--count", 1)
    file = os.open(mount.path / "large.bin", os.O_RDONLY)
    try:
        with pytest.raises(OSError) as raised:
            while os.read(file, MEBIBYTE):
                pass
            # The digest is known when the last block is there; the handle fails from then on.
            for _ in range(200):
                os.pread(file, 4096, 0)
                time.sleep(0.05)
        assert raised.value.errno == errno.EIO
    finally:
        os.close(file)
    hub.clear_faults()
    assert read(mount.path / "large.bin") == LARGE


def test_the_document_lists_these_faults():
    document = (REPOSITORY / "docs/ERRORS.md").read_text()
    listed = set(re.findall(r"^\| fault: ([^|]+?) +\|", document, re.MULTILINE))
    assert listed == set(PASSING) | set(LASTING)
