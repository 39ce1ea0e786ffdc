"""Small files that a program reads in the order of their directory are fetched ahead, and no others.

Requests are counted at the Hub: a file costs one question where it is, and one for its bytes.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from conftest import import_folder

FILE_COUNT = 400
FILE_BYTES = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two directories of small files, and one of ten thousand."""
    folder = tmp_path_factory.mktemp("small-files")
    numbers = random.Random(4)
    for directory, count in (("train-0", FILE_COUNT // 2), ("train-1", FILE_COUNT // 2)):
        for number in range(count):
            write(folder / directory / f"{number:05}.bin", numbers.randbytes(FILE_BYTES))
    for number in range(10_000):
        write(folder / "many" / f"{number:05}.txt", b"%d\n" % number)
    return folder


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def repo(hub, folder) -> str:
    return import_folder(hub, folder)


def located(hub) -> int:
    return hub.stats()["endpoints"].get("resolve", 0)


def test_a_walk_in_order_asks_for_each_file_once(hub, new_mount, repo, folder):
    mount = new_mount(f"hf://{repo}")
    for name in ("train-0", "train-1"):
        assert len(os.listdir(mount.path / name)) == FILE_COUNT // 2
    hub.reset_stats()
    for name in ("train-0", "train-1"):
        for path in sorted((mount.path / name).iterdir()):
            assert path.read_bytes() == (folder / name / path.name).read_bytes()
    assert located(hub) == FILE_COUNT
    assert hub.bytes_sent("cdn") == FILE_COUNT * FILE_BYTES


def test_three_files_of_ten_thousand_bring_a_few_more(hub, new_mount, repo):
    mount = new_mount(f"hf://{repo}")
    os.listdir(mount.path / "many")
    hub.reset_stats()
    for number in range(3):
        assert (mount.path / "many" / f"{number:05}.txt").read_text() == f"{number}\n"
    mount.unmount()
    assert 3 <= located(hub) <= 3 + 17


def test_files_in_random_order_bring_no_others(hub, new_mount, repo):
    mount = new_mount(f"hf://{repo}")
    os.listdir(mount.path / "many")
    hub.reset_stats()
    numbers = random.Random(11).sample(range(10_000), 40)
    for number in numbers:
        assert (mount.path / "many" / f"{number:05}.txt").read_text() == f"{number}\n"
    mount.unmount()
    assert located(hub) == len(numbers)


def test_what_is_large_is_not_fetched_with_what_is_small(hub, new_mount, import_repo):
    small = {f"{number:03}.json": b"{}%d" % number for number in range(0, 60, 2)}
    large = {f"{number:03}.bin": os.urandom(2 << 20) for number in range(1, 9, 2)}
    mount = new_mount(f"hf://{import_repo(small | large)}")
    names = sorted(os.listdir(mount.path))
    hub.reset_stats()
    for name in names:
        if name.endswith(".json"):
            assert (mount.path / name).read_bytes() == small[name]
    mount.unmount()
    assert located(hub) == len(small)


QUOTA = 100
WINDOW_SECONDS = 300


@pytest.fixture
def limited(hub):
    """The Hub with an enforced quota, in a window that is not about to end."""
    left = WINDOW_SECONDS - time.time() % WINDOW_SECONDS
    if left < 20:
        time.sleep(left + 1)
    hub.stop()
    hub.serve_options = ["--rate-limit", f"resolvers={QUOTA}"]
    hub.start()
    yield hub
    hub.stop()
    hub.serve_options = []
    hub.start()


def test_guesses_leave_half_of_the_quota_to_who_waits(limited, new_mount, repo, folder):
    mount = new_mount(f"hf://{repo}")
    paths = sorted((mount.path / "train-0").iterdir())
    for path in paths[:6]:
        assert path.read_bytes() == (folder / "train-0" / path.name).read_bytes()
    mount.unmount()
    # The window would have brought 64 more than were read.
    assert located(limited) <= QUOTA // 2 + 6


def test_all_of_the_quota_serves_who_waits(limited, new_mount, repo, folder):
    mount = new_mount(f"hf://{repo}")
    paths = sorted((mount.path / "train-0").iterdir())
    for path in paths[: QUOTA - 10]:
        assert path.read_bytes() == (folder / "train-0" / path.name).read_bytes()
    mount.unmount()
    assert "429" not in limited.stats()["statuses"]


@pytest.mark.alone
def test_a_busy_hub_does_not_hold_up_what_is_here(hub, new_mount, repo, folder):
    mount = new_mount(f"hf://{repo}")
    path = mount.path / "train-1" / "00003.bin"
    data = path.read_bytes()
    hub.add_fault("--429", 600)
    hub.reset_stats()
    mount.drop_page_cache()
    assert path.read_bytes() == data == (folder / "train-1" / path.name).read_bytes()
    assert hub.stats()["classes"].get("cdn", {}).get("requests", 0) == 0
    assert located(hub) == 0
