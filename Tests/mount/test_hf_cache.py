"""What Hugging Face's own client has downloaded is read from its cache, not fetched again."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import time
from pathlib import Path

import huggingface_hub
import pytest
from contents import kernel, overlaid, wait_until_sealed
from samples import MEBIBYTE, noise, text

FILES = {
    "large.bin": noise(12 * MEBIBYTE, seed=51),
    "middle.bin": noise(300_000, seed=52),
    "a/b/small.txt": text(5_000, seed=53),
    "empty": b"",
}
# The same bytes once more.
FILES["twin.bin"] = FILES["large.bin"]


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def official(hub, sample, tmp_path) -> Path:
    """The official client's cache with all of the sample in it."""
    cache = tmp_path / "hf-cache"
    huggingface_hub.snapshot_download(
        sample, cache_dir=cache, endpoint=hub.address.endpoint, token=False
    )
    assert len(list((cache / f"models--{sample.replace('/', '--')}/blobs").iterdir())) >= 4
    hub.reset_stats()
    return cache


def state_of(folder: Path) -> dict[str, tuple]:
    """Everything below a folder: names, sizes, times of change, bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ino, digest)
    return found


def mount_over(new_mount, official: Path, sample: str, *options: object):
    mount = new_mount(f"hf://{sample}", start=False)
    mount.environment["HF_HUB_CACHE"] = str(official)
    return mount.start(f"hf://{sample}", *options)


def check_all(mount) -> None:
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data


def blob(official: Path, data: bytes) -> Path:
    [path] = official.glob(f"*/blobs/{hashlib.sha256(data).hexdigest()}")
    return path


def test_a_mount_fetches_nothing_and_copies_nothing(hub, new_mount, official, sample):
    before = state_of(official)
    mount = mount_over(new_mount, official, sample)
    check_all(mount)
    assert hub.requests("cdn", "resolve") == 0
    assert list((mount.folder / "cache").glob("contents/*/*")) == []
    assert mount.unmount() == 0
    assert state_of(official) == before


def test_the_place_is_found_as_the_client_finds_it(hub, new_mount, official, sample):
    mount = new_mount(f"hf://{sample}", start=False)
    home = Path(mount.environment["HF_HOME"])
    home.mkdir()
    os.rename(official, home / "hub")
    mount.start(f"hf://{sample}")
    check_all(mount)
    assert hub.requests("cdn", "resolve") == 0


def test_the_switch(hub, new_mount, official, sample):
    mount = mount_over(new_mount, official, sample, "--no-hf-cache")
    check_all(mount)
    assert hub.bytes_sent("cdn") == 12 * MEBIBYTE + 300_000


def test_a_damaged_blob_is_fetched_from_the_hub(hub, new_mount, official, sample):
    path = blob(official, FILES["middle.bin"])
    data = bytearray(path.read_bytes())
    data[1234] ^= 1
    path.write_bytes(data)
    mount = mount_over(new_mount, official, sample)
    check_all(mount)
    assert hub.bytes_sent("cdn") == 300_000
    assert path.read_bytes() == data
    assert "is not used" in mount.log()


def test_a_large_damaged_blob_answers_errors_and_then_right_bytes(
    hub, new_mount, official, sample
):
    path = blob(official, FILES["large.bin"])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    mount = mount_over(new_mount, official, sample)
    with (mount.path / "large.bin").open("rb") as file:
        file.read(10)
        mount.wait_for_log("is not used")
    assert (mount.path / "large.bin").read_bytes() == FILES["large.bin"]
    assert hub.bytes_sent("cdn") == 12 * MEBIBYTE


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel takes files from root alone")
class TestPassthrough:
    """The kernel reads the client's files by itself, as those of hubfs's own cache."""

    @pytest.fixture
    def mount(self, hub, new_mount, official, sample):
        """One that knows that every file is right."""
        mount = mount_over(new_mount, official, sample)
        check_all(mount)
        for path in ("large.bin", "middle.bin"):
            self.wait_until_backed(mount, path)
        mount.unmount()
        mount.restart()
        hub.reset_stats()
        return mount

    @staticmethod
    def wait_until_backed(mount, path: str) -> None:
        """A large file is hashed beside its first reader; until then the daemon serves it."""
        deadline = time.monotonic() + 30
        before = kernel(mount)["passthroughOpens"]
        while kernel(mount)["passthroughOpens"] == before:
            assert time.monotonic() < deadline
            (mount.path / path).open("rb").close()
            time.sleep(0.02)

    def test_whole_files_are_read_without_the_daemon(self, hub, mount):
        for path in ("large.bin", "middle.bin", "twin.bin"):
            assert (mount.path / path).read_bytes() == FILES[path]
            with (mount.path / path).open("rb") as file:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
                    assert pages[:] == FILES[path]
                file.seek(100)
                assert file.read(1000) == FILES[path][100:1100]
        told = kernel(mount)
        assert told["passthrough"] == "on" and told["passthroughOpens"] == 6
        assert told["requests"].get("read", 0) == 0
        assert hub.requests("cdn", "resolve") == 0

    def test_nothing_is_written_to_them(self, mount, official):
        before = state_of(official)
        path = mount.path / "large.bin"
        with path.open("rb") as file:
            for place in (path, f"/proc/self/fd/{file.fileno()}"):
                for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY | os.O_TRUNC):
                    with pytest.raises(OSError) as refused:
                        os.open(place, flags)
                    assert refused.value.errno == errno.EROFS
        assert kernel(mount)["passthroughOpens"] == 1
        assert state_of(official) == before

    def test_readers_keep_what_the_client_removes_or_replaces(self, mount, official):
        path = blob(official, FILES["large.bin"])
        with (mount.path / "large.bin").open("rb") as file:
            other = path.with_suffix(".incomplete")
            other.write_bytes(b"other".ljust(len(FILES["large.bin"])))
            other.rename(path)
            assert file.read() == FILES["large.bin"]
            path.unlink()
            file.seek(0)
            assert file.read() == FILES["large.bin"]

    def test_one_that_was_written_to_is_not_taken(self, hub, mount, official):
        path = blob(official, FILES["middle.bin"])
        with path.open("r+b") as file:
            file.write(b"written")
        assert (mount.path / "middle.bin").read_bytes() == FILES["middle.bin"]
        assert hub.bytes_sent("cdn") == 300_000
        assert kernel(mount)["passthroughOpens"] == 0

    def test_one_that_changes_while_it_is_open_is_not_taken_for_another_name(
        self, mount, official
    ):
        with (mount.path / "large.bin").open("rb"):
            os.utime(blob(official, FILES["large.bin"]), ns=(1, 1))
            with (mount.path / "twin.bin").open("rb") as twin:
                assert twin.read() == FILES["large.bin"]
            assert kernel(mount)["passthroughOpens"] == 1

    @pytest.mark.alone
    def test_a_file_that_the_kernel_refuses_does_not_speak_for_others(
        self, new_mount, official, sample, tmp_path
    ):
        """On an overlay it has a layer more than the mount allows for."""
        with overlaid(official, tmp_path / "layers") as stacked:
            mount = mount_over(new_mount, stacked, sample)
            check_all(mount)
            assert kernel(mount)["passthroughOpens"] == 0
            assert kernel(mount)["passthrough"] == "on"
            for path in stacked.glob("*/blobs/*"):
                path.unlink()
            mount.drop_page_cache()
            own = mount.path / "middle.bin"
            assert own.read_bytes() == FILES["middle.bin"]
            wait_until_sealed(mount, FILES["middle.bin"])
            self.wait_until_backed(mount, "middle.bin")
            assert own.read_bytes() == FILES["middle.bin"]
            mount.unmount()


def test_cached_counts_what_the_client_has(new_mount, official, sample):
    mount = mount_over(new_mount, official, sample)
    for path, data in FILES.items():
        assert os.getxattr(mount.path / path, "user.hubfs.cached") == b"%d" % len(data)
    blob(official, FILES["large.bin"]).unlink()
    assert os.getxattr(mount.path / "large.bin", "user.hubfs.cached") == b"0"


@pytest.mark.alone
def test_blobs_may_vanish_under_a_reader(hub, new_mount, official, sample):
    mount = mount_over(new_mount, official, sample)
    with (mount.path / "large.bin").open("rb") as file:
        assert file.read(10) == FILES["large.bin"][:10]
        blob(official, FILES["large.bin"]).unlink()
        assert file.read() == FILES["large.bin"][10:]
    assert hub.requests("cdn") == 0
    mount.drop_page_cache()
    assert (mount.path / "middle.bin").read_bytes() == FILES["middle.bin"]


def test_a_download_while_the_mount_is_there(hub, new_mount, sample, tmp_path):
    cache = tmp_path / "hf-cache"
    mount = mount_over(new_mount, cache, sample)
    huggingface_hub.hf_hub_download(
        sample, "large.bin", cache_dir=cache, endpoint=hub.address.endpoint, token=False
    )
    hub.reset_stats()
    assert (mount.path / "large.bin").read_bytes() == FILES["large.bin"]
    assert hub.requests("cdn", "resolve") == 0


def test_warm_counts_what_the_client_has(hub, new_mount, official, sample):
    mount = mount_over(new_mount, official, sample)
    done = mount.run("warm", "--check", mount.path, "--exclude", ".gitattributes")
    assert done.stdout.startswith("all ")
    mount.run("warm", mount.path)
    assert hub.requests("cdn") == 0


def test_edits_of_what_the_client_has_stay_here(hub, official, sample, new_editable_mount):
    before = state_of(official)
    mount = new_editable_mount(f"hf://{sample}", start=False)
    mount.environment["HF_HUB_CACHE"] = str(official)
    mount.start(f"hf://{sample}", "-w", "--commit", "manual")
    with (mount.path / "large.bin").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"edited")
    expected = FILES["large.bin"][:5_000_000] + b"edited" + FILES["large.bin"][5_000_006:]
    assert (mount.path / "large.bin").read_bytes() == expected
    assert hub.requests("cdn") == 0
    assert state_of(official) == before
