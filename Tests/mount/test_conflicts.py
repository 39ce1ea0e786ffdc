"""Conflicts with what others commit, decided path by path."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess

import pytest
from foreign import Repo, shown
from mounting import binary
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
CONFLICT, BUSY, NOT_FOUND = 13, 8, 3


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")


def status(mount) -> dict:
    return json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]


def conflicts(mount) -> dict[str, str]:
    return {item["path"]: item["theirs"] for item in status(mount)["conflicts"]}


def refused(mount, *paths: str) -> None:
    """A commit finds these conflicts, and sends nothing."""
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == CONFLICT, done.stderr
    assert set(conflicts(mount)) == set(paths)


def committed(repo, mount, title: str = "mine") -> None:
    """What the mount shows is what the branch has, apart from what was set aside."""
    mount.run("commit", mount.path, "-m", title)
    local = {path for path in shown(mount) if ".hubfs-ours" in path}
    assert shown(mount) - local == repo.paths()
    for path in shown(mount) - local:
        assert (mount.path / path).read_text() == repo.text(path)
    assert conflicts(mount) == {}


def again(mount) -> None:
    """The mount ends, and the next one goes on."""
    assert mount.unmount() == 0
    journal.check(mount.folder / "state")
    mount.restart()


# Both sides changed a file.


def test_both_changed_ours_stays(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    foreign = repo.commit({"config.json": b"theirs\n", "notes.txt": b"their notes\n"})
    refused(mount, "config.json")
    assert (mount.path / "notes.txt").read_bytes() == b"notes\n"
    mount.run("resolve", mount.path / "config.json", "--ours")
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    committed(repo, mount)
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.text("config.json") == "mine\n"
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["config.json"]


def test_both_changed_theirs_is_taken_and_ours_is_kept_beside(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "new.txt").write_bytes(b"new\n")
    foreign = repo.commit({"config.json": b"theirs\n"})
    refused(mount, "config.json")
    done = mount.run("resolve", mount.path, "config.json", "--theirs")
    assert "config.json.hubfs-ours" in done.stdout
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"
    assert conflicts(mount) == {}
    committed(repo, mount)
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["new.txt"]
    again(mount)
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"
    # It can be had back by renaming it, like any file.
    os.rename(mount.path / "config.json.hubfs-ours", mount.path / "config.json")
    committed(repo, mount, "after all")
    assert repo.text("config.json") == "mine\n"


def test_a_conflict_is_known_after_a_remount(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n"})
    refused(mount, "config.json")
    again(mount)
    assert conflicts(mount) == {"config.json": "file"}
    mount.wait_for_log("changed by others")
    assert "! config.json" in mount.run("status", mount.path).stdout
    mount.run("resolve", mount.path, "--theirs")
    again(mount)
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"


def test_a_pull_finds_conflicts_as_a_commit_does(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n", "folder/one.txt": b"theirs\n"})
    assert mount.run("pull", mount.path, check=False).returncode == CONFLICT
    assert conflicts(mount) == {"config.json": "file"}
    mount.run("resolve", mount.path / "config.json", "--ours")
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    committed(repo, mount)


def test_what_is_left_undecided_is_not_committed(repo, mount):
    for path in ("config.json", "notes.txt", "folder/one.txt"):
        (mount.path / path).write_bytes(b"mine\n")
    repo.commit({path: b"theirs\n" for path in ("config.json", "notes.txt", "folder/one.txt")})
    refused(mount, "config.json", "notes.txt", "folder/one.txt")
    done = mount.run("resolve", mount.path / "config.json", "--theirs")
    assert "left: notes.txt" in done.stdout
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "notes.txt").read_bytes() == b"mine\n"
    refused(mount, "folder/one.txt", "notes.txt")
    again(mount)
    refused(mount, "folder/one.txt", "notes.txt")
    mount.run("resolve", mount.path / "folder", "--ours")
    refused(mount, "notes.txt")
    mount.run("resolve", mount.path, "--ours")
    committed(repo, mount)
    assert [repo.text(path) for path in ("config.json", "notes.txt", "folder/one.txt")] == [
        "theirs\n", "mine\n", "mine\n"]


def test_a_second_foreign_commit_is_a_conflict_of_its_own(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n"})
    refused(mount, "config.json")
    repo.commit({"config.json": b"theirs again\n"})
    # What was decided about is what was seen.
    mount.run("resolve", mount.path / "config.json", "--ours")
    refused(mount, "config.json")
    mount.run("resolve", mount.path / "config.json", "--theirs")
    assert (mount.path / "config.json").read_bytes() == b"theirs again\n"


def test_equal_edits_do_not_come_back_as_conflicts(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").write_bytes(b"same\n")
    repo.commit({"config.json": b"theirs\n", "notes.txt": b"same\n"})
    refused(mount, "config.json")
    mount.run("resolve", mount.path / "config.json", "--ours")
    assert conflicts(mount) == {}
    committed(repo, mount)


# One side removed it.


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_removed_here_changed_there(repo, mount, side):
    (mount.path / "config.json").unlink()
    repo.commit({"config.json": b"theirs\n"})
    refused(mount, "config.json")
    assert conflicts(mount) == {"config.json": "file"}
    mount.run("resolve", mount.path / "config.json", f"--{side}")
    assert (mount.path / "config.json").exists() == (side == "theirs")
    committed(repo, mount)
    assert ("config.json" in repo.paths()) == (side == "theirs")
    assert "config.json.hubfs-ours" not in shown(mount)


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_changed_here_removed_there(repo, mount, side):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": None})
    refused(mount, "config.json")
    assert conflicts(mount) == {"config.json": "nothing"}
    mount.run("resolve", mount.path / "config.json", f"--{side}")
    committed(repo, mount)
    assert ("config.json" in repo.paths()) == (side == "ours")
    assert ("config.json.hubfs-ours" in shown(mount)) == (side == "theirs")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_changed_here_and_its_folder_removed_there(repo, mount, side):
    os.listdir(mount.path / "folder/deep")
    (mount.path / "folder/one.txt").write_bytes(b"mine\n")
    repo.commit({path: None for path in FILES if path.startswith("folder/")})
    refused(mount, "folder/one.txt")
    mount.run("resolve", mount.path / "folder", f"--{side}")
    kept = "folder/one.txt" if side == "ours" else "folder/one.txt.hubfs-ours"
    assert {path for path in shown(mount) if path.startswith("folder")} == {kept}
    committed(repo, mount)
    assert ("folder/one.txt" in repo.paths()) == (side == "ours")
    again(mount)
    assert (mount.path / kept).read_bytes() == b"mine\n"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_foreign_file_in_a_folder_that_is_removed_here(repo, mount, side):
    shutil.rmtree(mount.path / "folder")
    repo.commit({"folder/late.txt": b"late\n", "folder/one.txt": b"theirs\n"})
    refused(mount, "folder")
    assert conflicts(mount) == {"folder": "folder"}
    mount.run("resolve", mount.path / "folder", f"--{side}")
    assert (mount.path / "folder").exists() == (side == "theirs")
    committed(repo, mount)
    late = {path for path in repo.paths() if path.startswith("folder/")}
    assert late == ({path for path in FILES if path.startswith("folder/")} | {"folder/late.txt"}
                    if side == "theirs" else set())


# A file against a folder.


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_file_here_and_a_folder_there(repo, mount, side):
    (mount.path / "thing").write_bytes(b"mine\n")
    repo.commit({"thing/inside.txt": b"theirs\n"})
    refused(mount, "thing")
    mount.run("resolve", mount.path / "thing", f"--{side}")
    assert (mount.path / "thing").is_dir() == (side == "theirs")
    committed(repo, mount)
    assert ("thing" in repo.paths()) == (side == "ours")
    if side == "theirs":
        assert (mount.path / "thing.hubfs-ours").read_bytes() == b"mine\n"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_folder_here_and_a_file_there(repo, mount, side):
    (mount.path / "folder/one.txt").write_bytes(b"mine\n")
    (mount.path / "folder/new.txt").write_bytes(b"new\n")
    repo.commit({path: None for path in FILES if path.startswith("folder/")})
    repo.commit({"folder": b"theirs\n"})
    refused(mount, "folder")
    mount.run("resolve", mount.path / "folder", f"--{side}")
    assert (mount.path / "folder").is_dir() == (side == "ours")
    committed(repo, mount)
    if side == "ours":
        assert repo.text("folder/one.txt") == "mine\n" and repo.text("folder/new.txt") == "new\n"
    else:
        assert repo.text("folder") == "theirs\n"
        aside = mount.path / "folder.hubfs-ours"
        assert sorted(os.listdir(aside)) == ["new.txt", "one.txt"]
        assert (aside / "one.txt").read_bytes() == b"mine\n"
    again(mount)
    assert (mount.path / "folder").is_dir() == (side == "ours")


def test_the_same_new_folder_on_both_sides_is_none(repo, mount):
    (mount.path / "fresh").mkdir()
    (mount.path / "fresh/mine.txt").write_bytes(b"mine\n")
    repo.commit({"fresh/theirs.txt": b"theirs\n"})
    mount.run("pull", mount.path)
    assert sorted(os.listdir(mount.path / "fresh")) == ["mine.txt", "theirs.txt"]
    committed(repo, mount)
    assert {"fresh/mine.txt", "fresh/theirs.txt"} <= repo.paths()


# Renamed here, changed there.


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_file_renamed_here_and_changed_there(repo, mount, side):
    os.rename(mount.path / "config.json", mount.path / "renamed.json")
    repo.commit({"config.json": b"theirs\n"})
    refused(mount, "config.json")
    mount.run("resolve", mount.path / "config.json", f"--{side}")
    # Nothing of ours is in the way of theirs, so nothing has to be set aside.
    assert (mount.path / "renamed.json").read_bytes() == FILES["config.json"]
    assert (mount.path / "config.json").exists() == (side == "theirs")
    committed(repo, mount)
    assert repo.text("renamed.json") == FILES["config.json"].decode()
    assert ("config.json" in repo.paths()) == (side == "theirs")


@pytest.mark.parametrize("looked", [True, False])
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_folder_renamed_here_and_changed_there(repo, mount, side, looked):
    os.rename(mount.path / "folder", mount.path / "moved")
    if looked:
        assert (mount.path / "moved/deep/three.txt").read_bytes() == b"three\n"
    repo.commit({"folder/one.txt": b"theirs\n", "folder/two.txt": None,
                 "folder/deep/three.txt": None, "folder/late/new.txt": b"late\n"})
    refused(mount, "folder")
    mount.run("resolve", mount.path / "folder", f"--{side}")
    # What was moved is what it was when it was moved.
    moved = {path: data for path, data in FILES.items() if path.startswith("folder/")}
    assert {path for path in shown(mount) if path.startswith("moved/")} == {
        path.replace("folder", "moved") for path in moved}
    for path, data in moved.items():
        assert (mount.path / path.replace("folder", "moved")).read_bytes() == data
    again(mount)
    committed(repo, mount)
    folder = {path for path in repo.paths() if path.startswith("folder/")}
    assert folder == ({"folder/one.txt", "folder/late/new.txt"} if side == "theirs" else set())
    again(mount)
    assert shown(mount) == repo.paths()


def test_a_moved_folder_that_gives_way_keeps_what_was_moved(repo, mount):
    os.rename(mount.path / "folder", mount.path / "fresh")
    repo.commit({"fresh/theirs.txt": b"theirs\n"})
    assert mount.run("pull", mount.path, check=False).returncode == CONFLICT
    assert conflicts(mount) == {"fresh": "folder"}
    mount.run("resolve", mount.path / "fresh", "--theirs")
    assert os.listdir(mount.path / "fresh") == ["theirs.txt"]
    aside = mount.path / "fresh.hubfs-ours"
    assert (aside / "deep/three.txt").read_bytes() == b"three\n"
    (mount.path / "new.txt").write_bytes(b"new\n")
    mount.run("commit", mount.path)
    assert {"fresh/theirs.txt", "new.txt"} <= repo.paths()
    assert not any("hubfs-ours" in path or "folder" in path for path in repo.paths())
    again(mount)
    assert (aside / "one.txt").read_bytes() == b"one\n"
    os.rename(aside, mount.path / "moved")
    committed(repo, mount)
    assert {"moved/one.txt", "moved/deep/three.txt"} <= repo.paths()


# Programs that have it open.


def test_open_handles_keep_their_bytes(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n", "notes.txt": b"their notes\n"})
    refused(mount, "config.json")
    with (mount.path / "config.json").open("rb") as mine, (mount.path / "notes.txt").open(
        "rb"
    ) as notes:
        numbers = [os.fstat(file.fileno()).st_ino for file in (mine, notes)]
        mount.run("resolve", mount.path / "config.json", "--theirs")
        assert (mount.path / "config.json").read_bytes() == b"theirs\n"
        assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
        assert mine.read() == b"mine\n" and notes.read() == b"notes\n"
        now = [(mount.path / name).stat().st_ino for name in ("config.json", "notes.txt")]
        assert not set(now) & set(numbers)
    assert (mount.path / "config.json.hubfs-ours").stat().st_ino == numbers[0]


@pytest.mark.parametrize("path", ["config.json", "notes.txt"])
def test_what_is_open_for_writing_is_not_changed(repo, mount, path):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n", "notes.txt": b"their notes\n"})
    refused(mount, "config.json")
    before = (mount.path / path).read_bytes()
    with (mount.path / path).open("r+b"):
        done = mount.run("resolve", mount.path / "config.json", "--theirs", check=False)
        assert done.returncode == BUSY and path in done.stderr
        assert (mount.path / path).read_bytes() == before
    assert conflicts(mount) == {"config.json": "file"}
    mount.run("resolve", mount.path / "config.json", "--theirs")
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"


# Decided beforehand.


def test_on_conflict_theirs(repo, new_editable_mount):
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--on-conflict", "theirs")
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").unlink()
    (mount.path / "thing").write_bytes(b"mine\n")
    (mount.path / "new.txt").write_bytes(b"new\n")
    foreign = repo.commit(
        {"config.json": b"theirs\n", "notes.txt": b"theirs\n", "thing/a.txt": b"theirs\n"})
    assert mount.unmount() == 0
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["new.txt"]
    mount.restart()
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"
    assert (mount.path / "thing.hubfs-ours").read_bytes() == b"mine\n"
    os.unlink(mount.path / "thing.hubfs-ours")
    assert "thing.hubfs-ours" not in shown(mount)


def test_on_conflict_ours_also_for_a_file_against_a_folder(repo, mount):
    (mount.path / "thing").write_bytes(b"mine\n")
    (mount.path / "config.json").write_bytes(b"mine\n")
    foreign = repo.commit({"thing/inside.txt": b"theirs\n", "config.json": b"theirs\n"})
    mount.run("commit", mount.path, "--on-conflict", "ours", "-m", "mine")
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.text("thing") == "mine\n" and repo.text("config.json") == "mine\n"
    assert shown(mount) == repo.paths()


def test_two_that_gave_way_have_names_of_their_own(repo, mount):
    for text in (b"first\n", b"second\n"):
        (mount.path / "config.json").write_bytes(text)
        repo.commit({"config.json": b"not " + text})
        mount.run("commit", mount.path, "--on-conflict", "theirs")
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"first\n"
    assert (mount.path / "config.json.hubfs-ours-2").read_bytes() == b"second\n"
    assert shown(mount) - repo.paths() == {"config.json.hubfs-ours", "config.json.hubfs-ours-2"}


# What was not asked for, or cannot be.


def test_paths_without_a_conflict(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n"})
    done = mount.run("resolve", mount.path / "config.json", "--ours", check=False)
    assert done.returncode == NOT_FOUND and "no conflict is known" in done.stderr
    refused(mount, "config.json")
    done = mount.run("resolve", mount.path, "config.json", "notes.txt", "--ours", check=False)
    assert done.returncode == NOT_FOUND and "notes.txt" in done.stderr
    assert conflicts(mount) == {"config.json": "file"}


def test_paths_as_the_shell_completes_them(repo, mount):
    (mount.path / "folder/one.txt").write_bytes(b"mine\n")
    repo.commit({"folder/one.txt": b"theirs\n"})
    refused(mount, "folder/one.txt")
    link = mount.folder / "link"
    link.symlink_to(mount.path)
    for words in (["link/folder/one.txt"], ["link", "folder/two.txt"], ["mnt/folder/two.txt"]):
        done = subprocess.run(
            [binary(), "resolve", *words, "--theirs"], cwd=mount.folder,
            env=mount.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == (0 if words[0].endswith("one.txt") else NOT_FOUND), done.stderr
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"


# What others did while a commit left something out.


def test_an_edit_that_was_not_in_the_commit_never_hides_theirs(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").write_bytes(b"my notes\n")
    (mount.path / "other/four.txt").unlink()
    repo.commit({"notes.txt": b"their notes\n", "other/four.txt": b"theirs\n"})
    mount.run("commit", mount.path, "config.json")
    assert repo.text("config.json") == "mine\n" and repo.text("notes.txt") == "their notes\n"
    assert conflicts(mount) == {"notes.txt": "file", "other/four.txt": "file"}
    refused(mount, "notes.txt", "other/four.txt")
    again(mount)
    refused(mount, "notes.txt", "other/four.txt")
    mount.run("resolve", mount.path, "--theirs")
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    assert (mount.path / "other/four.txt").read_bytes() == b"theirs\n"
    committed(repo, mount)


def test_a_file_that_is_ignored_here_and_committed_there(repo, mount):
    (mount.path / ".DS_Store").write_bytes(b"mine\n")
    repo.commit({".DS_Store": b"theirs\n"})
    assert mount.run("pull", mount.path, check=False).returncode == CONFLICT
    mount.run("resolve", mount.path / ".DS_Store", "--theirs")
    assert (mount.path / ".DS_Store").read_bytes() == b"theirs\n"
    assert (mount.path / ".DS_Store.hubfs-ours").read_bytes() == b"mine\n"


def test_what_a_program_may_still_write_to_is_not_taken_from_it_by_a_commit(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    with (mount.path / "notes.txt").open("r+b", buffering=0) as file:
        repo.commit({"notes.txt": b"their notes\n"})
        mount.run("commit", mount.path)
        assert repo.text("config.json") == "mine\n"
        assert conflicts(mount) == {"notes.txt": "file"}
        file.write(b"NOTES")
    assert (mount.path / "notes.txt").read_bytes() == b"NOTES\n"
    refused(mount, "notes.txt")
    mount.run("resolve", mount.path / "notes.txt", "--theirs")
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    assert (mount.path / "notes.txt.hubfs-ours").read_bytes() == b"NOTES\n"


def test_a_link_here_and_a_file_there(repo, mount):
    os.symlink("config.json", mount.path / "link")
    repo.commit({"link": b"theirs\n"})
    assert mount.run("pull", mount.path, check=False).returncode == CONFLICT
    mount.run("resolve", mount.path / "link", "--theirs")
    assert (mount.path / "link").read_bytes() == b"theirs\n"
    assert os.readlink(mount.path / "link.hubfs-ours") == "config.json"
    assert mount.unmount() == 0
    assert repo.text("link") == "theirs\n"


def facts(mount) -> dict[str, str]:
    (workspace,) = journal.workspaces(mount.folder / "state")
    with contextlib.closing(
        sqlite3.connect(f"file:{workspace / 'journal.db'}?mode=ro", uri=True)
    ) as database:
        return dict(database.execute("SELECT name, value FROM fact"))


def test_a_resolution_survives_the_daemon(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").write_bytes(b"my notes\n")
    head = repo.commit({"config.json": b"theirs\n", "notes.txt": b"their notes\n",
                        "folder/one.txt": b"theirs\n"})
    refused(mount, "config.json", "notes.txt")
    mount.run("resolve", mount.path / "config.json", "--theirs")
    mount.kill()
    assert facts(mount)["base_commit"] == head
    mount.restart()
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    refused(mount, "notes.txt")
    mount.run("resolve", mount.path, "--ours")
    mount.kill()
    mount.restart()
    committed(repo, mount)
    assert "conflicts" not in facts(mount)
