"""What the daemon needs at most, whatever it is asked for.

The limit is the product's; the release build is measured by scripts/bench. Here the debug build,
which needs more, must keep it as well.
"""

from __future__ import annotations

import subprocess

import pytest
from conftest import import_folder, run
from samples import MEBIBYTE

PEAK_BYTES_MAX = 64 * MEBIBYTE
ENTRY_COUNT = 100_000


@pytest.fixture(scope="module")
def large(hub, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("large")
    with (folder / "large.bin").open("wb") as file:
        subprocess.run(["head", "-c", str(1024 * MEBIBYTE), "/dev/urandom"], stdout=file, check=True)
    return import_folder(hub, folder, name="large")


@pytest.fixture(scope="module")
def many(hub, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("many")
    for number in range(ENTRY_COUNT):
        target = folder / f"part-{number // 5000:02}" / f"sample-{number:06}.txt"
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"{number}\n")
    return import_folder(hub, folder, name="many")


def test_reading_a_gibibyte(new_mount, large):
    mount = new_mount(f"hf://{large}")
    run("dd", f"if={mount.path}/large.bin", "of=/dev/null", "bs=1M")
    assert mount.peak_memory_bytes() < PEAK_BYTES_MAX


def test_listing_a_hundred_thousand_files(new_mount, many):
    mount = new_mount(f"hf://{many}")
    listed = run("find", mount.path, "-name", "sample-*", "-size", "+0").stdout.count(b"\n")
    assert listed == ENTRY_COUNT
    assert mount.peak_memory_bytes() < PEAK_BYTES_MAX


def test_the_first_ls_does_not_wait_for_all_of_it(hub, new_mount, many):
    mount = new_mount(f"hf://{many}")
    run("ls", mount.path)
    # The root, its commit, and at most one page of a look whether the repo is small.
    assert hub.requests("api") <= 6
