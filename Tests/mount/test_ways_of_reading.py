"""Every call that a loader reads files with, at the edges of pages, blocks and files: on a file that is
fetched meanwhile, on one of which some is here, on one the daemon has whole, and on one the kernel
reads by itself."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from contents import kernel, requests, wait_until_sealed
from samples import MEBIBYTE, noise, sha256

pytestmark = pytest.mark.alone

PAGE = 4096
BLOCK = 65536
SIZES = {
    f"{size}.bin": noise(size, seed=size)
    for size in (1, PAGE - 1, PAGE, PAGE + 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * MEBIBYTE + PAGE + 7)
}
LARGE = f"{9 * MEBIBYTE + PAGE + 7}.bin"

# Cold: nothing is here before it is asked for. Partial: some is, with holes in between. Complete: all of
# it is, but was not yet when the file was opened.
STATES = ["cold", "partial", "complete", "passthrough"]
# Contents below a block are rows of a database, and never passed through.
NAMES = {name for name, data in SIZES.items() if len(data) >= BLOCK}


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(SIZES)


@pytest.fixture(scope="module")
def filled(sample, new_shared_mount):
    mount = new_shared_mount(f"hf://{sample}")
    for path, data in SIZES.items():
        assert (mount.path / path).read_bytes() == data
    for name in NAMES:
        wait_until_sealed(mount, SIZES[name])
    mount.unmount()
    return mount.cache


class Files:
    """Open files of a mount."""

    def __init__(self, mount):
        self.mount = mount
        self._opened: list[int] = []

    def open(self, name: str, flags: int = 0) -> int:
        file = os.open(self.mount.path / name, os.O_RDONLY | flags)
        self._opened.append(file)
        return file

    def each(self, flags: int = 0) -> Iterator[tuple[bytes, int]]:
        """What is in each file, and a descriptor of it."""
        for name, data in SIZES.items():
            yield data, self.open(name, flags)

    def backed_count(self) -> int:
        """Opens after which the kernel reads by itself."""
        return kernel(self.mount)["passthroughOpens"]

    def close(self) -> None:
        for file in self._opened:
            os.close(file)
        self._opened = []


@pytest.fixture(scope="module")
def backed(new_shared_mount, sample, filled):
    return new_shared_mount(f"hf://{sample}", cache=filled)


@pytest.fixture(scope="module")
def complete(new_shared_mount, sample):
    """A mount whose files are open since before their bytes came."""
    mount = new_shared_mount(f"hf://{sample}")
    files = Files(mount)
    # Backwards: what is opened in order is fetched ahead, and could be whole before it is opened.
    opened = [(SIZES[name], files.open(name)) for name in sorted(SIZES, reverse=True)]
    for data, file in opened:
        assert os.pread(file, len(data), 0) == data
    yield mount
    files.close()


@pytest.fixture(params=STATES)
def files(request, new_mount, sample):
    if request.param in ("cold", "partial"):
        mount = new_mount(f"hf://{sample}")
        if request.param == "partial":
            read_some(mount)
    elif request.param == "complete":
        mount = request.getfixturevalue("complete")
    elif os.geteuid() == 0:
        mount = request.getfixturevalue("backed")
    else:
        pytest.skip("the kernel takes files from root alone")
    mount.drop_page_cache()
    before = kernel(mount)["passthroughOpens"]
    files = Files(mount)
    yield files
    files.close()
    count = kernel(mount)["passthroughOpens"] - before
    if request.param not in ("cold", "partial"):
        assert (count > 0) == (request.param == "passthrough")


def read_some(mount) -> None:
    """Of the large file single blocks far from each other, and a piece that ends within a block."""
    with (mount.path / LARGE).open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for offset in (BLOCK, MEBIBYTE + 1, 4 * MEBIBYTE, 9 * MEBIBYTE - PAGE):
            assert os.pread(file.fileno(), 3 * PAGE, offset) == SIZES[LARGE][offset:][: 3 * PAGE]
    here = int(os.getxattr(mount.path / LARGE, "user.hubfs.cached"))
    assert 0 < here < len(SIZES[LARGE])


def edges(size: int) -> list[tuple[int, int]]:
    """Offsets and lengths around everything that has an edge, and beyond the end."""
    places = {0, 1, PAGE - 1, PAGE, BLOCK - 1, BLOCK, BLOCK + 1, MEBIBYTE - 1, size - PAGE, size - 1, size}
    places |= {size + 1, size // 2, size + MEBIBYTE}
    lengths = [1, 2, PAGE - 1, PAGE, PAGE + 1, BLOCK, 200_000]
    return [(place, length) for place in sorted(places) if place >= 0 for length in lengths]


def test_pread(files):
    for data, file in files.each():
        for offset, length in edges(len(data)):
            assert os.pread(file, length, offset) == data[offset : offset + length], (offset, length)


def test_preadv_into_pieces(files):
    for data, file in files.each():
        for offset, length in edges(len(data)):
            pieces = [bytearray(1), bytearray(length), bytearray(3), bytearray(PAGE)]
            got = os.preadv(file, pieces, offset)
            expected = data[offset : offset + length + 4 + PAGE]
            assert got == len(expected)
            assert b"".join(pieces)[:got] == expected, (offset, length)


def test_direct_reads(files):
    """O_DIRECT wants memory, offset and length in sectors; a page fits every disk."""
    for data, file in files.each(os.O_DIRECT):
        buffer = mmap.mmap(-1, MEBIBYTE)
        ends = {0, PAGE, BLOCK - PAGE, BLOCK, len(data) // PAGE * PAGE, (len(data) // PAGE + 1) * PAGE}
        for offset in sorted(ends):
            for length in (PAGE, BLOCK, MEBIBYTE):
                with memoryview(buffer) as view:
                    got = os.preadv(file, [view[:length]], offset)
                    expected = data[offset : offset + length]
                    assert bytes(view[:got]) == expected, (offset, length)


def test_direct_reads_of_no_whole_sectors(files):
    """The daemon takes any. Where the kernel reads by itself it is as the cache's disk has it."""
    for name, data in SIZES.items():
        # A file that was fetched ahead can be whole when it is opened, whatever the others are.
        before = files.backed_count()
        file = files.open(name, os.O_DIRECT)
        is_backed = files.backed_count() > before
        buffer = bytearray(MEBIBYTE + 1)
        for offset, length in edges(len(data)):
            with memoryview(buffer) as view:
                try:
                    got = os.preadv(file, [view[1 : 1 + length]], offset)
                except OSError as error:
                    assert is_backed and error.errno == errno.EINVAL
                    continue
                assert bytes(view[1 : 1 + got]) == data[offset : offset + length], (offset, length)


def test_sendfile(files, tmp_path):
    for data, file in files.each():
        with (tmp_path / "copy").open("w+b") as copy:
            offset = 0
            while count := os.sendfile(copy.fileno(), file, offset, MEBIBYTE):
                offset += count
            copy.seek(0)
            assert copy.read() == data


def test_sendfile_to_a_socket(files):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(60), theirs.settimeout(60)
        for offset in (0, PAGE - 3, BLOCK, 9 * MEBIBYTE):
            count = os.sendfile(ours.fileno(), files.open(LARGE), offset, 10_000)
            assert theirs.recv(count, socket.MSG_WAITALL) == SIZES[LARGE][offset:][:count]
            assert count > 0


def test_splice(files):
    for data, file in files.each():
        read_end, write_end = os.pipe()
        try:
            for offset, length in edges(len(data)):
                got = os.splice(file, write_end, min(length, 60_000), offset_src=offset)
                expected = data[offset : offset + got]
                assert got > 0 or offset >= len(data), (offset, length)
                assert (os.read(read_end, got) if got else b"") == expected, (offset, length)
        finally:
            os.close(read_end)
            os.close(write_end)


def test_mmap(files):
    for data, file in files.each():
        for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE, mmap.MAP_PRIVATE | mmap.MAP_POPULATE):
            with mmap.mmap(file, 0, flags, mmap.PROT_READ) as pages:
                pages.madvise(mmap.MADV_WILLNEED)
                for offset, length in edges(len(data)):
                    assert pages[offset : offset + length] == data[offset : offset + length]
                assert sha256(pages[:]) == sha256(data)


def test_a_mapping_outlives_its_descriptor(files):
    file = os.open(files.mount.path / LARGE, os.O_RDONLY)
    pages = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    os.close(file)
    with pages:
        assert sha256(pages[:]) == sha256(SIZES[LARGE])


def test_advice_changes_no_byte(files):
    readahead = ctypes.CDLL(None, use_errno=True).readahead
    readahead.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_size_t]
    advices = [
        os.POSIX_FADV_SEQUENTIAL, os.POSIX_FADV_WILLNEED, os.POSIX_FADV_RANDOM,
        os.POSIX_FADV_NOREUSE, os.POSIX_FADV_DONTNEED, os.POSIX_FADV_NORMAL,
    ]  # fmt: skip
    for data, file in files.each():
        for advice in advices:
            os.posix_fadvise(file, 0, 0, advice)
            os.posix_fadvise(file, PAGE, len(data), advice)
            assert readahead(file, 0, len(data)) == 0
            for offset in (0, len(data) // 2, max(0, len(data) - PAGE)):
                assert os.pread(file, BLOCK, offset) == data[offset : offset + BLOCK]
    # Nor do the pages that the advice left behind, for whoever opens the files next.
    files.close()
    for name, data in SIZES.items():
        assert (files.mount.path / name).read_bytes() == data


def test_readahead_brings_the_bytes_that_are_read(files):
    """vLLM and others warm a file up before they map it: reads that follow cost the disk nothing, and,
    where the kernel reads by itself, the daemon no copy."""
    file = files.open(LARGE)
    size = len(SIZES[LARGE])

    def requests_once_warm() -> int:
        os.posix_fadvise(file, 0, size, os.POSIX_FADV_WILLNEED)
        assert os.pread(file, size, 0) == SIZES[LARGE]
        before = requests(files.mount, "read")
        with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as pages:
            for _ in range(3):
                assert sha256(pages[:]) == sha256(SIZES[LARGE])
                assert os.pread(file, size, 0) == SIZES[LARGE]
        return requests(files.mount, "read") - before

    # Pages are the kernel's to take back for others; a file that is not kept costs requests each time.
    assert 0 in (requests_once_warm() for _ in range(3))


def test_programs(files, tmp_path):
    path = files.mount.path / LARGE
    for command in (
        ["dd", f"if={path}", f"of={tmp_path / 'out'}", "bs=1M", "iflag=direct"],
        ["dd", f"if={path}", f"of={tmp_path / 'out'}", "bs=1M", "skip=1", "seek=1", "conv=notrunc"],
        ["cp", "--sparse=always", path, tmp_path / "out"],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert sha256(Path(tmp_path / "out").read_bytes()) == sha256(SIZES[LARGE]), command
