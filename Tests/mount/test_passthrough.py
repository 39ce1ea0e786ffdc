"""Whole files of the cache, read by the kernel without the daemon: on mounts of root that are read only.

The counts are the daemon's own, of what the kernel has asked it for.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import mounting
import pytest
from contents import (
    LIBC, cache_file, kernel, map_alone, overlaid, requests, resident_bytes, wait_until_sealed,
)  # fmt: skip
from samples import MEBIBYTE, noise, text

# Above the limit for small contents, one not of whole pages, and one that is in git.
FILES = {
    "large.bin": noise(24 * MEBIBYTE + 4321, seed=21),
    "middle.bin": noise(300_000, seed=22),
    "text.txt": text(200_000, seed=23),
    "small.bin": noise(20_000, seed=24),
    "empty": b"",
}
LARGE = FILES["large.bin"]

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(os.geteuid() != 0, reason="the kernel takes files from root alone"),
]


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture(scope="module")
def filled(hub, sample, new_shared_mount):
    """A mount that has ended, and whose cache has everything."""
    mount = new_shared_mount(f"hf://{sample}")
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data
    wait_until_sealed(mount, LARGE)
    wait_until_sealed(mount, FILES["middle.bin"])
    # What is in git is sealed too by then: one after the other, in this order.
    mount.unmount()
    return mount.cache


@pytest.fixture
def cache(filled, tmp_path):
    """A copy of that cache, to be altered."""
    subprocess.run(["cp", "-a", filled, tmp_path / "copy"], check=True, timeout=60)
    return tmp_path / "copy"


@pytest.fixture
def mount(new_mount, sample, cache):
    return new_mount(f"hf://{sample}", cache=cache)


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDONLY):
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


def wait_for_releases(mount, refused: int = 0) -> None:
    """close(2) does not wait for the daemon, which hears of it soon; not of opens it has refused."""
    deadline = time.monotonic() + 30
    while requests(mount, "release") + refused < requests(mount, "open"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_after_a_restart_the_daemon_is_asked_for_no_byte(mount):
    for path, data in FILES.items():
        if len(data) >= 65536:
            assert (mount.path / path).read_bytes() == data
    assert requests(mount, "read") == 0
    told = kernel(mount)
    assert told["passthrough"] == "on"
    assert told["passthroughOpens"] == told["requests"]["open"] == 3
    assert "passthrough on, 3 opens" in mount.run("status", mount.path).stdout


def test_status_counts_in_words(mount):
    def told() -> str:
        return mount.run("status", mount.path).stdout

    assert "passthrough on, 0 opens; 0 requests to open, 0 to read" in told()
    (mount.path / "large.bin").read_bytes()
    assert "passthrough on, 1 open; 1 request to open, 0 to read" in told()


def test_small_contents_take_the_ordinary_way(mount):
    assert (mount.path / "small.bin").read_bytes() == FILES["small.bin"]
    assert (mount.path / "empty").read_bytes() == b""
    assert kernel(mount)["passthroughOpens"] == 0
    assert requests(mount, "read") > 0


def test_files_look_the_same_in_either_way(new_mount, sample, mount):
    fetching = new_mount(f"hf://{sample}")
    for path in FILES:
        (fetched, kept) = (os.stat(each.path / path) for each in (fetching, mount))
        with opened(mount.path / path) as file:
            for now in (os.stat(mount.path / path), os.fstat(file)):
                for field in ("st_ino", "st_mode", "st_nlink", "st_size", "st_mtime_ns", "st_blocks"):
                    assert getattr(now, field) == getattr(fetched, field) == getattr(kept, field)


def test_a_file_that_was_open_before_it_was_whole_is_backed_after_its_last_close(new_mount, sample):
    mount = new_mount(f"hf://{sample}")
    path = mount.path / "large.bin"
    with opened(path) as first:
        assert os.read(first, 100) == LARGE[:100]
        assert path.read_bytes() == LARGE
        wait_until_sealed(mount, LARGE)
        # The kernel would refuse the other way with EIO for as long as `first` is open.
        with opened(path) as second:
            assert os.pread(second, 5000, 20 * MEBIBYTE) == LARGE[20 * MEBIBYTE :][:5000]
            assert os.pread(first, 5000, 9 * MEBIBYTE) == LARGE[9 * MEBIBYTE :][:5000]
        assert kernel(mount)["passthroughOpens"] == 0
    wait_for_releases(mount)
    reads = requests(mount, "read")
    assert path.read_bytes() == LARGE
    assert kernel(mount)["passthroughOpens"] == 1
    assert requests(mount, "read") == reads


def test_opens_of_one_file_overlap_and_follow_each_other(mount):
    path = mount.path / "large.bin"
    with opened(path) as first, opened(path) as second:
        assert os.pread(first, MEBIBYTE, 0) == LARGE[:MEBIBYTE]
        os.close(os.dup(first))
        assert os.pread(second, MEBIBYTE, MEBIBYTE) == LARGE[MEBIBYTE:][:MEBIBYTE]
    with opened(path) as third:
        with opened(path):
            pass
        assert os.pread(third, 100, len(LARGE) - 50) == LARGE[-50:]
    wait_for_releases(mount)
    assert path.read_bytes() == LARGE
    assert kernel(mount)["passthroughOpens"] == 5
    assert requests(mount, "read") == 0


def test_first_opens_while_the_download_ends(new_mount, sample):
    """Whatever is in force when an open comes, nothing is refused and no byte is wrong."""
    mount = new_mount(f"hf://{sample}")
    path = mount.path / "large.bin"
    failures: list[object] = []
    is_done = threading.Event()

    def reopen(number: int) -> None:
        place = number * MEBIBYTE
        try:
            while not is_done.is_set():
                with opened(path) as file:
                    assert os.pread(file, 70_000, place) == LARGE[place:][:70_000]
                place = (place + 5 * MEBIBYTE) % (24 * MEBIBYTE)
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=reopen, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    assert path.read_bytes() == LARGE
    wait_until_sealed(mount, LARGE)
    # Their opens overlap as it happens; some time none does, and the next is backed.
    deadline = time.monotonic() + 60
    while kernel(mount)["passthroughOpens"] == 0 and time.monotonic() < deadline and not failures:
        time.sleep(0.05)
    is_done.set()
    for reader in readers:
        reader.join(timeout=60)
    assert failures == []
    wait_for_releases(mount)
    assert path.read_bytes() == LARGE
    assert kernel(mount)["passthroughOpens"] > 0


def test_advice_to_read_ahead_loads_the_file_that_is_read(mount):
    """Not the mount's own pages, which nobody reads."""
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    with backing.open("rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert resident_bytes(backing) == 0
    deadline = time.monotonic() + 60
    with opened(path) as file:
        # Again and again, since others who run beside this test may empty the kernel's memory.
        while resident_bytes(backing) < len(LARGE):
            assert time.monotonic() < deadline
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            # Linux takes no more of an advice than one window of readahead.
            for offset in range(0, len(LARGE), 128 << 10):
                os.posix_fadvise(file, offset, 128 << 10, os.POSIX_FADV_WILLNEED)
        assert requests(mount, "read") > 0
        assert os.pread(file, MEBIBYTE, 0) == LARGE[:MEBIBYTE]


def test_nothing_can_be_written_through_it(mount):
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    with opened(path) as file:
        for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY | os.O_TRUNC, os.O_RDWR | os.O_APPEND):
            for place in (path, f"/proc/self/fd/{file}"):
                with pytest.raises(OSError) as raised:
                    os.open(place, flags)
                assert raised.value.errno == errno.EROFS
        for change in (
            lambda: os.write(file, b"x"),
            lambda: os.ftruncate(file, 0),
            lambda: os.truncate(path, 0),
            lambda: os.posix_fallocate(file, 0, 10),
            lambda: mmap.mmap(file, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
            lambda: os.chmod(path, 0o777),
        ):
            with pytest.raises(OSError) as raised:
                change()
            assert raised.value.errno in (errno.EBADF, errno.EINVAL, errno.EROFS, errno.EACCES)
        # A private mapping has copies of its own.
        with mmap.mmap(file, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as pages:
            pages[0:4] = b"mine"
        assert os.pread(file, 4, 0) == LARGE[:4]
    assert kernel(mount)["passthroughOpens"] == 1
    assert backing.read_bytes() == LARGE


def test_a_mount_that_is_made_writable_behind_hubfs_back_is_not(mount):
    """`mount -o remount,rw` takes the kernel's own refusal away; then hubfs refuses."""
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    subprocess.run(["mount", "-i", "-o", "remount,rw", mount.path], check=True, timeout=30)
    with opened(path) as file:
        for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY | os.O_TRUNC):
            for place in (path, f"/proc/self/fd/{file}"):
                with pytest.raises(OSError):
                    os.open(place, flags)
        with pytest.raises(OSError):
            os.truncate(path, 0)
        assert os.pread(file, 4, 0) == LARGE[:4]
    assert kernel(mount)["passthroughOpens"] == 1
    assert backing.read_bytes() == LARGE


def test_a_writable_mount_never_has_it(new_editable_mount, sample, cache):
    mount = new_editable_mount(f"hf://{sample}", "-w", "--commit", "manual", cache=cache)
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    assert path.read_bytes() == LARGE
    with opened(path, os.O_RDWR) as file:
        os.pwrite(file, b"edited", 1000)
        with mmap.mmap(file, 0) as pages:
            pages[2000:2006] = b"mapped"
    edited = bytearray(LARGE)
    edited[1000:1006], edited[2000:2006] = b"edited", b"mapped"
    assert path.read_bytes() == bytes(edited)
    assert backing.read_bytes() == LARGE
    told = kernel(mount)
    assert told["passthrough"] == "off" and told["passthroughOpens"] == 0


def test_what_is_open_is_not_removed_from_the_cache(mount):
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    with opened(path) as file:
        done = mount.run("cache", "rm", "--all", check=False)
        assert done.returncode != 0 and "in use" in done.stderr + done.stdout
        assert backing.exists()
        assert os.pread(file, MEBIBYTE, 0) == LARGE[:MEBIBYTE]
    wait_for_releases(mount)
    mount.run("cache", "rm", "--all")
    assert not backing.exists()
    # Then it is fetched as if it had never been here.
    assert path.read_bytes() == LARGE


def test_what_is_mapped_is_not_removed_from_the_cache(mount):
    """Loaders map a file and close it: the daemon sees the last close, and not the mapping."""
    backing = cache_file(mount, LARGE)
    with opened(mount.path / "large.bin") as file:
        pages = map_alone(file, len(LARGE))
    try:
        wait_for_releases(mount)
        done = mount.run("cache", "rm", "--all", check=False)
        assert done.returncode != 0 and "in use" in done.stderr + done.stdout
        assert backing.exists()
        assert ctypes.string_at(pages, len(LARGE)) == LARGE
    finally:
        assert LIBC.munmap(pages, len(LARGE)) == 0
    mount.run("cache", "rm", "--all")
    assert not backing.exists()


def test_what_is_damaged_and_open_is_not_read_for_what_replaces_it(mount):
    """Who has it open reads on; an open that comes meanwhile is refused, the next reads right bytes."""
    path, backing = mount.path / "large.bin", cache_file(mount, LARGE)
    with backing.open("r+b") as file:
        file.seek(5 * MEBIBYTE)
        file.write(bytes([LARGE[5 * MEBIBYTE] ^ 1]))
    with opened(path) as file:
        assert os.pread(file, 100, 0) == LARGE[:100]
        mount.run("cache", "verify", check=False)
        assert not backing.exists()
        with pytest.raises(OSError) as raised:
            os.open(path, os.O_RDONLY)
        assert raised.value.errno == errno.EIO
    wait_for_releases(mount, refused=1)
    mount.drop_page_cache()
    assert path.read_bytes() == LARGE


def test_readers_outlive_their_daemon(mount):
    """The kernel needs no daemon to read on; the next mount is as good as new."""
    path = mount.path / "large.bin"
    # The first close of a mount asks the daemon whether it wants to know of closes.
    path.read_bytes()
    with opened(path) as file, mmap.mmap(file, 0, access=mmap.ACCESS_READ) as pages:
        mount.signal(signal.SIGKILL)
        mount.wait()
        mount.drop_page_cache()
        assert os.pread(file, MEBIBYTE, 0) == LARGE[:MEBIBYTE]
        assert pages[:] == LARGE
        with pytest.raises(OSError) as raised:
            os.open(path, os.O_RDONLY)
        assert raised.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
        mounting.detach(mount.path)
        mount.restart()
        assert path.read_bytes() == LARGE
        assert pages[-100:] == LARGE[-100:]
    assert requests(mount, "read") == 0


def test_a_mount_ends_while_its_files_are_read(mount):
    with opened(mount.path / "large.bin") as file:
        os.pread(file, 100, 0)
        assert subprocess.run(["umount", mount.path], timeout=30).returncode != 0
        mounting.detach(mount.path)
        assert os.pread(file, MEBIBYTE, MEBIBYTE) == LARGE[MEBIBYTE:][:MEBIBYTE]
        assert mount.process.poll() is None
    assert mount.wait() == 0


def test_a_cache_on_an_overlay(new_mount, sample, filled, tmp_path):
    with overlaid(filled, tmp_path / "layers") as cache:
        mount = new_mount(f"hf://{sample}", cache=cache)
        assert (mount.path / "large.bin").read_bytes() == LARGE
        assert kernel(mount)["passthroughOpens"] == 1
        assert requests(mount, "read") == 0
        mount.unmount()


def test_what_the_kernel_refuses_is_done_without(new_mount, sample, filled, tmp_path):
    """Two overlays are as many as the kernel stacks: it takes no file of them."""
    with overlaid(filled, tmp_path / "lower") as lower, overlaid(lower, tmp_path / "upper") as cache:
        mount = new_mount(f"hf://{sample}", cache=cache)
        for path, data in FILES.items():
            assert (mount.path / path).read_bytes() == data
        told = kernel(mount)
        assert told["passthrough"].startswith("refused by the kernel")
        assert told["passthroughOpens"] == 0 and told["requests"]["read"] > 0
        mount.unmount()


def test_an_overlay_can_be_put_above_a_mount(mount, tmp_path):
    with overlaid(mount.path, tmp_path / "layers") as merged:
        assert (merged / "large.bin").read_bytes() == LARGE
        (merged / "large.bin").write_bytes(b"new")
        assert (merged / "large.bin").read_bytes() == b"new"
    assert (mount.path / "large.bin").read_bytes() == LARGE
