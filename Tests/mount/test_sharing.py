"""One cache, several mounts, and daemons that die at any moment."""

from __future__ import annotations

import hashlib
import random
import subprocess
import time

import pytest
from samples import MEBIBYTE, noise, text

LARGE = noise(40 * MEBIBYTE, seed=7)
FILES = {
    "large.bin": LARGE,
    "middle.bin": noise(300_000, seed=8),
    "a/b/small.txt": text(5_000, seed=9),
    "empty": b"",
}


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


def check_all(mount) -> None:
    for path, data in FILES.items():
        digest = hashlib.sha256((mount.path / path).read_bytes()).hexdigest()
        assert digest == hashlib.sha256(data).hexdigest(), path


def test_a_second_mount_fetches_nothing(hub, new_mount, sample, tmp_path):
    first = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    check_all(first)
    hub.reset_stats()
    second = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    check_all(second)
    check_all(first)
    assert hub.requests("cdn") == 0
    assert hub.requests("resolve") == 0


def test_a_remount_lists_nothing_and_reads_without_a_hub(hub, new_mount, sample, tmp_path):
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    check_all(mount)
    mount.unmount()
    hub.reset_stats()
    again = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    check_all(again)
    paths = hub.stats()["paths"] if "paths" in hub.stats() else {}
    assert not any("/tree/" in path for path in paths)
    again.unmount()
    hub.stop()
    try:
        offline = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
        check_all(offline)
    finally:
        hub.start()


def test_a_remount_does_not_wait_for_a_hub_that_never_answers(hub, new_mount, sample, tmp_path):
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    check_all(mount)
    mount.unmount()
    hub.reset_stats()
    hub.add_fault("--stall")
    # The time-out is longer than this run: whoever waited for the Hub would not come up.
    again = new_mount(f"hf://{sample}", "--read-timeout", 3600, cache=tmp_path / "cache")
    assert hub.requests("api") >= 1
    assert "going on with" in again.log()
    check_all(again)
    # Nor does the question that is still open hold up the end.
    assert again.unmount() == 0


def test_two_mounts_may_fetch_the_same_file_at_once(new_mount, sample, tmp_path):
    mounts = [new_mount(f"hf://{sample}", cache=tmp_path / "cache") for _ in range(2)]
    sums = [
        subprocess.Popen(["sha256sum", mount.path / "large.bin"], stdout=subprocess.PIPE, text=True)
        for mount in mounts
    ]
    expected = hashlib.sha256(LARGE).hexdigest()
    for process in sums:
        assert process.communicate(timeout=120)[0].split()[0] == expected


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_daemon_leaves_a_cache_that_reads_right(hub, new_mount, sample, tmp_path, seed):
    moments = random.Random(seed)
    hub.add_fault("--link", "rtt=5ms,window=400KB")
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    reader = subprocess.Popen(
        ["cat", mount.path / "large.bin"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(moments.uniform(0.02, 1.0))
    mount.kill()
    reader.wait(timeout=30)
    hub.clear_faults()
    check_all(new_mount(f"hf://{sample}", cache=tmp_path / "cache"))
