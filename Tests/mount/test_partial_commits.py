"""`hubfs commit DIR PATH…`: some of the edits, and what they cannot go without."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from foreign import Repo, shown
from published import exchange
from reference_model import journal

FILES = {
    "config.json": b'{"a": 1}\n',
    "notes.txt": b"notes\n",
    "folder/one.txt": b"one\n",
    "folder/two.txt": b"two\n",
    "folder/deep/three.txt": b"three\n",
    "other/four.txt": b"four\n",
    "other/five.txt": b"five\n",
}
NOT_FOUND, CONFLICT = 3, 13


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")


def edits(mount) -> set[str]:
    found = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]
    return {edit["path"] for edit in found["changes"]}


def changed(repo) -> set[str]:
    """Paths of the last commit."""
    return set(repo.git("show", "--format=", "--name-only", "--no-renames", "main").split())


def commit(repo, mount, *paths: str) -> set[str]:
    """Commits these paths and gives what came of it: as the dry run has told, and one commit."""
    told = mount.run("commit", "--dry-run", mount.path, *paths).stdout
    before, seen = repo.head(), contents(mount)
    mount.run("commit", mount.path, *paths)
    assert repo.git("rev-parse", "main^").strip() == before
    assert contents(mount) == seen
    for path in changed(repo):
        assert path in told
    return changed(repo)


def contents(mount) -> dict[str, bytes]:
    return {path: (mount.path / path).read_bytes() for path in shown(mount)}


def the_rest(repo, mount) -> None:
    """After a remount everything is there still, and the next commit has it."""
    seen = contents(mount)
    assert mount.unmount() == 0
    journal.check(mount.folder / "state")
    mount.restart()
    assert contents(mount) == seen
    mount.run("commit", mount.path)
    assert edits(mount) == set()
    assert contents(mount) == seen
    assert shown(mount) == repo.paths()
    for path, data in seen.items():
        assert repo.text(path).encode() == data


def test_files_and_folders(repo, mount):
    for path in ("config.json", "folder/one.txt", "folder/new/a.txt", "fresh/b.txt", "fresh/c.txt"):
        (mount.path / path).parent.mkdir(exist_ok=True)
        (mount.path / path).write_bytes(b"edited\n")
    (mount.path / "folder/two.txt").unlink()
    (mount.path / "notes.txt").unlink()
    assert commit(repo, mount, "fresh/b.txt") == {"fresh/b.txt"}
    assert edits(mount) == {
        "config.json", "notes.txt", "folder/one.txt", "folder/two.txt", "folder/new/a.txt",
        "fresh/c.txt"}
    assert commit(repo, mount, "folder", "config.json") == {
        "config.json", "folder/one.txt", "folder/two.txt", "folder/new/a.txt"}
    assert edits(mount) == {"notes.txt", "fresh/c.txt"}
    the_rest(repo, mount)


def test_what_is_edited_meanwhile_and_again(repo, mount):
    (mount.path / "config.json").write_bytes(b"first\n")
    (mount.path / "notes.txt").write_bytes(b"kept\n")
    assert commit(repo, mount, "config.json") == {"config.json"}
    (mount.path / "config.json").write_bytes(b"second\n")
    (mount.path / "notes.txt").write_bytes(b"kept, and more\n")
    assert commit(repo, mount, "config.json") == {"config.json"}
    the_rest(repo, mount)


@pytest.mark.parametrize("named", ["config.json", "other/renamed.json"])
def test_both_ends_of_a_rename(repo, mount, named):
    os.rename(mount.path / "config.json", mount.path / "other/renamed.json")
    (mount.path / "notes.txt").write_bytes(b"edited\n")
    assert commit(repo, mount, named) == {"config.json", "other/renamed.json"}
    assert edits(mount) == {"notes.txt"}
    the_rest(repo, mount)


@pytest.mark.parametrize("named", ["folder/one.txt", "moved/deep", "moved"])
def test_a_renamed_folder_goes_as_a_whole(repo, mount, named):
    os.rename(mount.path / "folder", mount.path / "moved")
    (mount.path / "moved/new.txt").write_bytes(b"new\n")
    (mount.path / "notes.txt").write_bytes(b"edited\n")
    both = {path for path in FILES if path.startswith("folder/")}
    both |= {path.replace("folder", "moved") for path in both} | {"moved/new.txt"}
    assert commit(repo, mount, named) == both
    assert edits(mount) == {"notes.txt"}
    the_rest(repo, mount)


def test_a_renamed_folder_that_was_not_named_stays_one(repo, mount):
    os.rename(mount.path / "folder", mount.path / "moved")
    (mount.path / "moved/one.txt").write_bytes(b"edited\n")
    (mount.path / "other/four.txt").write_bytes(b"edited\n")
    assert commit(repo, mount, "other") == {"other/four.txt"}
    assert "folder/one.txt" in repo.paths()
    the_rest(repo, mount)


@pytest.mark.parametrize("named", ["config.json", "notes.txt"])
def test_two_that_changed_places(repo, mount, named):
    exchange(mount.path / "config.json", mount.path / "notes.txt")
    (mount.path / "other/four.txt").unlink()
    assert commit(repo, mount, "other") == {"other/four.txt"}
    assert commit(repo, mount, named) == {"config.json", "notes.txt"}
    the_rest(repo, mount)


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(repo, mount):
    shutil.rmtree(mount.path / "folder")
    (mount.path / "folder").write_bytes(b"a file now\n")
    (mount.path / "config.json").unlink()
    (mount.path / "config.json").mkdir()
    (mount.path / "config.json/a.txt").write_bytes(b"a\n")
    (mount.path / "config.json/b.txt").write_bytes(b"b\n")
    (mount.path / "notes.txt").write_bytes(b"edited\n")
    assert commit(repo, mount, "config.json/a.txt") == {
        "config.json", "config.json/a.txt", "config.json/b.txt"}
    assert commit(repo, mount, "folder") == {
        "folder", "folder/one.txt", "folder/two.txt", "folder/deep/three.txt"}
    assert edits(mount) == {"notes.txt"}
    the_rest(repo, mount)


def test_a_removed_folder(repo, mount):
    shutil.rmtree(mount.path / "folder")
    (mount.path / "notes.txt").unlink()
    assert commit(repo, mount, "notes.txt") == {"notes.txt"}
    assert not (mount.path / "folder").exists()
    assert commit(repo, mount, "folder/deep") == {
        path for path in FILES if path.startswith("folder/")}
    the_rest(repo, mount)


def test_a_copy_goes_without_its_original(repo, mount):
    with open(mount.path / "config.json", "rb") as source, open(
        mount.path / "copy.json", "wb"
    ) as target:
        os.copy_file_range(source.fileno(), target.fileno(), 100)
    (mount.path / "config.json").write_bytes(b"edited\n")
    assert commit(repo, mount, "copy.json") == {"copy.json"}
    assert edits(mount) == {"config.json"}
    the_rest(repo, mount)


def test_on_top_of_what_others_did(repo, mount):
    os.rename(mount.path / "folder", mount.path / "moved")
    (mount.path / "config.json").write_bytes(b"mine\n")
    foreign = repo.commit({"notes.txt": b"theirs\n", "other/late.txt": b"late\n"})
    mount.run("commit", mount.path, "config.json")
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert changed(repo) == {"config.json"}
    assert (mount.path / "notes.txt").read_bytes() == b"theirs\n"
    the_rest(repo, mount)


def test_what_was_moved_stays_what_it_was_whatever_others_do_to_it(repo, mount):
    os.rename(mount.path / "folder", mount.path / "moved")
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"folder/one.txt": b"theirs\n", "folder/late.txt": b"late\n"})
    mount.run("commit", mount.path, "config.json")
    assert sorted(os.listdir(mount.path / "moved")) == ["deep", "one.txt", "two.txt"]
    assert (mount.path / "moved/one.txt").read_bytes() == b"one\n"
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == CONFLICT and "folder" in done.stderr
    mount.run("resolve", mount.path / "folder", "--theirs")
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    the_rest(repo, mount)
    assert {"moved/one.txt", "folder/late.txt", "folder/one.txt"} <= repo.paths()


def test_nothing_is_edited_there(repo, mount):
    (mount.path / "config.json").write_bytes(b"edited\n")
    (mount.path / "empty").mkdir()
    head = repo.head()
    for words in (["notes.txt"], ["config.json", "folder"]):
        for option in ([], ["--dry-run"]):
            done = mount.run("commit", *option, mount.path, *words, check=False)
            assert done.returncode == NOT_FOUND and "nothing is edited at" in done.stderr
    assert "empty directory" in mount.run("commit", mount.path, "empty").stderr
    assert repo.head() == head and edits(mount) == {"config.json"}
