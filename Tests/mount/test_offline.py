"""`--offline` and HF_HUB_OFFLINE: the cache alone, and no connection."""

from __future__ import annotations

import contextlib
import errno
import shutil
import socket
import sqlite3
import subprocess
import threading

import mounting
import pytest
from samples import MEBIBYTE, noise, text

FILES = {
    "large.bin": noise(12 * MEBIBYTE, seed=41),
    "small.txt": text(3_000, seed=42),
    "deep/er/notes.txt": text(100, seed=43),
}


class Listener:
    """A Hub's address at which nobody may knock; what knocks is counted."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.knocks = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.knocks += 1
            connection.close()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.socket.shutdown(socket.SHUT_RDWR)
    listener.socket.close()


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo({**FILES, "absent.bin": noise(12 * MEBIBYTE, seed=44)})


@pytest.fixture
def cache(new_mount, sample, tmp_path):
    """A cache with everything of the sample but one file, of which it has the beginning."""
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data
    with (mount.path / "absent.bin").open("rb", buffering=0) as file:
        file.read(4096)
    assert mount.unmount() == 0
    return tmp_path / "cache"


def take_for(endpoint: str, cache) -> None:
    """Makes a cache believe that it was this Hub that had said what revisions name."""
    with contextlib.closing(sqlite3.connect(cache / "cache.db")) as database:
        database.execute("UPDATE snapshot SET endpoint = ?", [endpoint])
        database.commit()


def offline_mount(new_mount, cache, listener, source, *options) -> mounting.Mount:
    mount = new_mount(source, cache=cache, start=False)
    mount.environment["HF_ENDPOINT"] = listener.endpoint
    take_for(listener.endpoint, cache)
    if not options:
        mount.environment["HF_HUB_OFFLINE"] = "1"
    return mount.start(source, *options)


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_what_is_cached_reads_and_nothing_connects(
    new_mount, sample, cache, listener, options
):
    mount = offline_mount(new_mount, cache, listener, f"hf://{sample}@main", *options)
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data
    assert (mount.path / "absent.bin").stat().st_size == 12 * MEBIBYTE
    assert mount.unmount() == 0
    assert listener.knocks == 0
    # Nobody was waited for either.
    assert "has not said" not in mount.log()


def test_a_miss_is_enetunreach_with_a_line_in_the_log(new_mount, sample, cache, listener):
    mount = offline_mount(new_mount, cache, listener, f"hf://{sample}")
    with (mount.path / "absent.bin").open("rb", buffering=0) as file:
        file.seek(11 * MEBIBYTE)
        with pytest.raises(OSError) as failure:
            file.read(100)
        assert failure.value.errno == errno.ENETUNREACH
        file.seek(0)
        assert len(file.read(100)) == 100
    mount.wait_for_log("absent.bin at offset")
    assert "--offline" in mount.log()
    assert listener.knocks == 0


def test_a_listing_that_is_not_cached(new_mount, sample, cache, listener):
    with contextlib.closing(sqlite3.connect(cache / "cache.db")) as database:
        database.execute("DELETE FROM listing WHERE key LIKE 'tree %'")
        database.commit()
    mount = offline_mount(new_mount, cache, listener, f"hf://{sample}")
    assert (mount.path / "small.txt").read_bytes() == FILES["small.txt"]
    with pytest.raises(OSError) as failure:
        (mount.path / "deep/er").stat()
    assert failure.value.errno == errno.ENETUNREACH
    assert listener.knocks == 0


def test_programs_do_not_wait_for_a_miss(new_mount, sample, cache, listener):
    mount = offline_mount(new_mount, cache, listener, f"hf://{sample}")
    done = subprocess.run(
        ["cat", mount.path / "absent.bin"], capture_output=True, timeout=20
    )
    assert done.returncode == 1 and b"Network is unreachable" in done.stderr


def test_no_call_of_the_system_connects(new_mount, sample, cache, listener):
    """Not even to look a name up: strace sees no socket but that of `hubfs status`."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    mount = new_mount(f"hf://{sample}", cache=cache, start=False)
    environment = {**mount.environment, "HF_ENDPOINT": "http://hub.invalid"}
    take_for("http://hub.invalid", cache)
    trace = mount.log_path.with_name("trace")
    done = subprocess.run(
        [strace, "-f", "-o", trace, "-e", "trace=socket,connect,sendto,sendmsg",
         mounting.binary(), "cat", "--offline", f"hf://{sample}/large.bin", f"{sample}/small.txt"],
        env=environment, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == FILES["large.bin"] + FILES["small.txt"]
    assert "exited with 0" in trace.read_text()
    assert "AF_INET" not in trace.read_text()


def test_what_another_hub_has_said_is_not_taken_for_an_answer(
    new_mount, sample, cache, listener
):
    mount = new_mount(f"hf://{sample}", cache=cache, start=False)
    mount.environment["HF_ENDPOINT"] = listener.endpoint
    with pytest.raises(RuntimeError) as failure:
        mount.start(f"hf://{sample}", "--offline")
    assert "not in the cache" in str(failure.value)
    assert listener.knocks == 0


def test_a_repo_that_was_never_seen(new_mount, tmp_path, cache, listener):
    mount = new_mount("hf://lab/other", cache=cache, start=False)
    mount.environment["HF_ENDPOINT"] = listener.endpoint
    with pytest.raises(RuntimeError) as failure:
        mount.start("hf://lab/other", "--offline")
    assert "not in the cache" in str(failure.value) and "--offline" in str(failure.value)
    assert mount.process.wait(timeout=10) == 6
    assert listener.knocks == 0
