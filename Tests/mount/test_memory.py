"""What the daemon needs at most, whatever it is asked for.

The product's limits are those of the release build, and measured by scripts/bench. Here it is the debug
build, whose program is several times as large: without the pages of files it must keep half of that.
"""

from __future__ import annotations

import subprocess

import pytest
from conftest import import_folder, run
from samples import MEBIBYTE

OWN_BYTES_MAX = 32 * MEBIBYTE
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


def own_memory_bytes(mount) -> int:
    """At most, by the peak of all and what of it is not the daemon's own."""
    return mount.peak_memory_bytes() - mount.file_memory_bytes()


def test_reading_a_gibibyte(new_mount, large):
    mount = new_mount(f"hf://{large}")
    run("dd", f"if={mount.path}/large.bin", "of=/dev/null", "bs=1M")
    assert own_memory_bytes(mount) < OWN_BYTES_MAX


def test_listing_a_hundred_thousand_files(new_mount, many):
    mount = new_mount(f"hf://{many}")
    listed = run("find", mount.path, "-name", "sample-*", "-size", "+0").stdout.count(b"\n")
    assert listed == ENTRY_COUNT
    assert own_memory_bytes(mount) < OWN_BYTES_MAX


def test_the_first_ls_does_not_wait_for_all_of_it(hub, new_mount, many):
    mount = new_mount(f"hf://{many}")
    run("ls", mount.path)
    # The root, its commit, and at most one page of a look whether the repo is small.
    assert hub.requests("api") <= 6
