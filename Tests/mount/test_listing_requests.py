"""How often the Hub is asked for listings, counted there.

A page of the Hub has at most a thousand entries, directories among them, whatever is asked for.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import import_folder

PAGE = 1000


@pytest.fixture
def repo_of(hub, tmp_path):
    """Makes a repo of so many files in each of so many directories, and .gitattributes beside them."""

    def make(*counts: int) -> str:
        folder = tmp_path / "files"
        for directory, count in enumerate(counts):
            (folder / f"d{directory}").mkdir(parents=True)
            for number in range(count):
                path = folder / f"d{directory}" / f"{number:05}.txt"
                # No two directories are the same tree: that would be listed once.
                path.write_text(f"{directory} {number}\n")
        return import_folder(hub, folder)

    return make


def list_recursively(path: Path) -> list[str]:
    done = subprocess.run(
        ["ls", "-lAR", path], check=True, timeout=60, capture_output=True, text=True
    )
    return [line for line in done.stdout.splitlines() if line.startswith("-")]


@pytest.mark.parametrize(
    "counts, pages",
    [((998,), 1), ((300, 300, 396), 1), ((999,), 2), ((1000, 997), 2)],
    ids=str,
)
def test_a_small_repo_costs_its_pages(hub, new_mount, repo_of, counts, pages):
    repo = repo_of(*counts)
    entry_count = 1 + len(counts) + sum(counts)
    assert pages == -(-entry_count // PAGE)
    hub.reset_stats()
    mount = new_mount(f"hf://{repo}")
    assert len(list_recursively(mount.path)) == 1 + sum(counts)
    assert hub.asked()["tree"] == pages
    # A new mount of a commit that is known asks for none.
    mount.unmount()
    hub.reset_stats()
    mount.restart()
    assert len(list_recursively(mount.path)) == 1 + sum(counts)
    assert hub.asked() == {"info": 1}


def test_a_larger_repo_costs_two_pages_more_than_its_directories(hub, new_mount, repo_of):
    counts = (900, 900, 900)
    repo = repo_of(*counts)
    hub.reset_stats()
    mount = new_mount(f"hf://{repo}")
    assert len(list_recursively(mount.path)) == 1 + sum(counts)
    assert hub.asked()["tree"] == 2 + 1 + len(counts)
