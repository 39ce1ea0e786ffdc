"""Ordinary programs on a repo of six thousand files."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile

import pytest
from conftest import import_folder, run
from samples import text

pytestmark = pytest.mark.alone

FILE_COUNT = 6000
DIRECTORY_COUNT = 300
NEEDLE = "the needle of this haystack"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The files as they were before the import."""
    folder = tmp_path_factory.mktemp("tools")
    choice = random.Random(1)
    directories = [f"d{number % 17}/e{number}" for number in range(DIRECTORY_COUNT)]
    for number in range(FILE_COUNT):
        target = folder / directories[number % DIRECTORY_COUNT] / f"file {number}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text(choice.randrange(10, 400), seed=number))
    (folder / "d3/e3/needle.txt").write_text(NEEDLE + "\n")
    return folder


@pytest.fixture(scope="module")
def sample(hub, original) -> str:
    return import_folder(hub, original, name="tools")


@pytest.fixture(scope="module")
def shared_mount(new_shared_mount, sample):
    """One cache for all programs: six thousand requests are made once, by the search."""
    return new_shared_mount(f"hf://{sample}")


@pytest.fixture
def mount(shared_mount):
    """The mount as the kernel has it that has read nothing: every byte comes from the daemon."""
    shared_mount.drop_page_cache()
    return shared_mount


def names(folder) -> set[str]:
    """Every file below a folder, as Python's own walk finds it."""
    return {
        os.path.relpath(os.path.join(top, file), folder)
        for top, _, files in os.walk(folder)
        for file in files
        if file != ".gitattributes"
    }


def test_search_reads_each_file_once(hub, mount):
    found = run("rg", "--fixed-strings", "--files-with-matches", NEEDLE, mount.path).stdout
    assert found.decode().split() == [str(mount.path / "d3/e3/needle.txt")]
    # The search passes over .gitattributes and reads all else, several files at a time. A file in git
    # is resolved by one request and sent by another.
    assert hub.requests("resolve") == 2 * (FILE_COUNT + 1)
    assert hub.requests("cdn") == 0


def test_walk_and_find_see_every_file(mount, original):
    assert names(mount.path) == names(original)
    found = run("find", mount.path, "-type", "f", "-name", "*.txt").stdout.splitlines()
    assert len(found) == FILE_COUNT + 1
    found = run("find", mount.path, "-mindepth", 1, "-type", "d").stdout.splitlines()
    assert len(found) == len([path for path in original.rglob("*") if path.is_dir()])


def test_a_listing_is_asked_for_once(hub, mount):
    run("ls", "-lR", mount.path)
    hub.reset_stats()
    run("ls", "-lR", mount.path)
    mount.drop_page_cache()
    run("ls", "-lR", mount.path)
    assert hub.asked() == {}


def test_copies_are_equal(mount, original, tmp_path):
    run("cp", "-r", mount.path, tmp_path / "copy")
    (tmp_path / "copy/.gitattributes").unlink(missing_ok=True)
    run("diff", "-r", original, tmp_path / "copy")


def test_rsync_moves_nothing_the_second_time(mount, tmp_path):
    run("rsync", "-a", f"{mount.path}/", tmp_path / "copy")
    again = run("rsync", "-a", "--itemize-changes", f"{mount.path}/", tmp_path / "copy")
    assert again.stdout == b""


def test_git_hashes_are_the_oids_the_hub_lists(mount):
    paths = sorted(mount.path.glob("d5/*/*.txt"))[:50]
    hashes = run("git", "hash-object", "--no-filters", *paths).stdout.decode().split()
    assert hashes == [os.getxattr(path, "user.hubfs.oid").decode() for path in paths]


def test_an_archive_holds_every_byte(mount, original, tmp_path):
    run("tar", "-C", mount.path, "-cf", tmp_path / "all.tar", ".")
    with tarfile.open(tmp_path / "all.tar") as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if member.isfile() and path != ".gitattributes":
                assert archive.extractfile(member).read() == (original / path).read_bytes()


def test_every_write_is_refused_with_erofs(mount):
    target = mount.path / "d3/e3/needle.txt"
    for operation in (
        lambda: open(target, "w"),
        lambda: open(mount.path / "new", "w"),
        lambda: os.unlink(target),
        lambda: os.mkdir(mount.path / "new"),
        lambda: os.rmdir(mount.path / "d3"),
        lambda: os.rename(target, mount.path / "moved"),
        lambda: os.chmod(target, 0o600),
        lambda: os.truncate(target, 0),
        lambda: os.utime(target),
        lambda: os.symlink("x", mount.path / "link"),
        lambda: os.link(target, mount.path / "hard"),
        lambda: os.setxattr(target, "user.x", b"y"),
    ):
        with pytest.raises(OSError, match="Read-only"):
            operation()


def test_a_missing_name_is_missing(hub, mount):
    hub.reset_stats()
    for _ in range(3):
        assert subprocess.run(["stat", mount.path / "d3/absent"], capture_output=True).returncode
    assert not (mount.path / "d3/e3/absent").exists()
    # The listings of d3 and of d3/e3; the names that are absent cost nothing.
    assert hub.requests() <= 2


def test_a_second_mount_of_the_commit_lists_nothing(hub, mount, new_mount, original):
    """The last test of this module: the Hub comes back at another address."""
    assert names(mount.path) == names(original)
    run("grep", "--recursive", NEEDLE, mount.path)
    hub.reset_stats()
    again = new_mount("hf://lab/tools", cache=mount.cache)
    assert names(again.path) == names(original)
    # The branch is resolved, and the size of the tree asked for; nothing is listed and nothing read.
    assert hub.requests("resolve", "cdn") == 0
    assert hub.requests("api") <= 3
    again.unmount()
    hub.stop()
    try:
        offline = new_mount("hf://lab/tools", cache=mount.cache)
        for path in sorted(names(original)):
            assert (offline.path / path).read_bytes() == (original / path).read_bytes()
    finally:
        hub.start()
