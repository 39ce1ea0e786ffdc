"""The Hub does not have the commit any more that edits were made on: its history was squashed."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from foreign import Repo, shown
from samples import noise

FILES = {
    "config.json": b'{"a": 1}\n',
    "notes.txt": b"notes\n",
    "gone.txt": b"to be removed here\n",
    "doomed/one.txt": b"one\n",
    "folder/two.txt": b"two\n",
    "folder/deep/three.txt": b"three\n",
    "moved.txt": b"moved\n",
    "weights.bin": noise(300_000, seed=7),
}
CONFLICT, UNSENT, FAILURE, NOT_FOUND = 13, 5, 1, 3


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")


def conflicts(mount) -> dict[str, str]:
    edits = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]
    return {item["path"]: item["theirs"] for item in edits["conflicts"]}


def squash(repo) -> str:
    repo.api.super_squash_history(repo.name)
    return repo.head()


def forget(mount) -> None:
    """The mount has ended, and nothing of the repo is in the cache."""
    assert mount.unmount() == 0
    shutil.rmtree(mount.cache)


def edit(mount) -> None:
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "new").mkdir()
    (mount.path / "new/file.txt").write_bytes(b"new\n")
    with (mount.path / "weights.bin").open("r+b") as file:
        file.seek(100_000)
        file.write(b"edited")
    (mount.path / "moved.txt").rename(mount.path / "folder/moved.txt")


EDITED = FILES["weights.bin"][:100_000] + b"edited" + FILES["weights.bin"][100_006:]


def is_edited(mount) -> None:
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert (mount.path / "new/file.txt").read_bytes() == b"new\n"
    assert (mount.path / "folder/moved.txt").read_bytes() == b"moved\n"
    assert (mount.path / "weights.bin").read_bytes() == EDITED
    assert not (mount.path / "moved.txt").exists()


@pytest.mark.parametrize("clears", [True, False], ids=["cache cleared", "cached"])
def test_edits_go_on_on_the_squashed_head(repo, mount, clears):
    edit(mount)
    assert mount.unmount() == 0
    if clears:
        shutil.rmtree(mount.cache)
    head = squash(repo)
    mount.restart()
    mount.wait_for_log("they stand on the head now")
    assert conflicts(mount) == {}
    is_edited(mount)
    assert (mount.path / "notes.txt").read_bytes() == FILES["notes.txt"]
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.titles()[0] == "mine"
    assert repo.git("rev-parse", "main^").strip() == head
    assert set(repo.git("show", "--format=", "--name-only", "--no-renames", "main").split()) == {
        "config.json", "new/file.txt", "weights.bin", "moved.txt", "folder/moved.txt"}
    assert shown(mount) == repo.paths()


def test_others_changed_edited_paths_before_the_squash(repo, mount):
    edit(mount)
    (mount.path / "folder/two.txt").write_bytes(b"my two\n")
    repo.commit({
        "config.json": b"theirs\n", "notes.txt": b"their notes\n", "new/file.txt": b"also new\n",
        "folder/two.txt": None,
    })
    forget(mount)
    head = squash(repo)
    mount.restart()
    assert conflicts(mount) == {
        "config.json": "file", "new/file.txt": "file", "folder/two.txt": "nothing"}
    is_edited(mount)
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    assert mount.run("commit", mount.path, check=False).returncode == CONFLICT
    assert repo.head() == head
    mount.run("resolve", mount.path, "config.json", "--ours")
    mount.run("resolve", mount.path, "--theirs")
    assert (mount.path / "new/file.txt").read_bytes() == b"also new\n"
    assert (mount.path / "new/file.txt.hubfs-ours").read_bytes() == b"new\n"
    assert (mount.path / "folder/two.txt.hubfs-ours").read_bytes() == b"my two\n"
    mount.run("commit", mount.path)
    assert repo.text("config.json") == "mine\n" and repo.text("new/file.txt") == "also new\n"
    assert repo.text("notes.txt") == "their notes\n" and "folder/two.txt" not in repo.paths()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_what_was_removed_cannot_be_compared(repo, mount, side):
    (mount.path / "gone.txt").unlink()
    shutil.rmtree(mount.path / "doomed")
    (mount.path / "notes.txt").unlink()
    repo.commit({"notes.txt": None})
    forget(mount)
    head = squash(repo)
    mount.restart()
    # Nobody can say whether these are what was removed.
    assert conflicts(mount) == {"gone.txt": "file", "doomed": "folder"}
    assert shown(mount) == repo.paths() - {"gone.txt", "doomed/one.txt"}
    assert mount.run("commit", mount.path, check=False).returncode == CONFLICT
    assert repo.head() == head
    mount.run("resolve", mount.path, f"--{side}")
    mount.run("commit", mount.path)
    assert ("gone.txt" in repo.paths()) == (side == "theirs")
    assert ("doomed/one.txt" in repo.paths()) == (side == "theirs")
    assert shown(mount) == repo.paths()


def test_equal_edits_are_no_conflict_in_the_end(repo, mount):
    (mount.path / "config.json").write_bytes(b"same\n")
    repo.commit({"config.json": b"same\n"})
    forget(mount)
    head = squash(repo)
    mount.restart()
    mount.run("commit", mount.path)
    assert repo.head() == head and conflicts(mount) == {}


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_folder_that_was_moved(repo, mount, side):
    (mount.path / "folder").rename(mount.path / "elsewhere")
    (mount.path / "elsewhere/more.txt").write_bytes(b"more\n")
    repo.commit({"folder/theirs.txt": b"theirs\n"})
    forget(mount)
    squash(repo)
    mount.restart()
    assert conflicts(mount) == {"folder": "folder"}
    inside = {"elsewhere/two.txt", "elsewhere/deep/three.txt", "elsewhere/more.txt"}
    assert inside < shown(mount)
    mount.run("resolve", mount.path, f"--{side}")
    mount.run("commit", mount.path)
    assert shown(mount) == repo.paths() and inside < repo.paths()
    # Theirs is in one place at least.
    assert {"folder/theirs.txt", "elsewhere/theirs.txt"} & repo.paths()
    assert ("folder/two.txt" in repo.paths()) == (side == "theirs")


def test_a_moved_folder_that_the_head_does_not_have(repo, mount):
    (mount.path / "folder").rename(mount.path / "elsewhere")
    (mount.path / "elsewhere/more.txt").write_bytes(b"more\n")
    repo.commit({"folder/two.txt": None, "folder/deep/three.txt": None})
    forget(mount)
    squash(repo)
    mount.restart()
    mount.wait_for_log("neither at the Hub nor here")
    assert conflicts(mount) == {}
    mount.run("commit", mount.path)
    assert shown(mount) == repo.paths() and "elsewhere/more.txt" in repo.paths()


@pytest.mark.parametrize("kind", ["file for folder", "folder for file"])
def test_a_file_where_a_folder_was(repo, mount, kind):
    if kind == "file for folder":
        (mount.path / "folder/two.txt").write_bytes(b"mine\n")
        path = "folder"
        repo.commit({"folder/two.txt": None, "folder/deep/three.txt": None})
        repo.commit({"folder": b"a file\n"})
    else:
        (mount.path / "notes.txt").write_bytes(b"mine\n")
        path = "notes.txt"
        repo.commit({"notes.txt": None})
        repo.commit({"notes.txt/in.txt": b"in\n"})
    forget(mount)
    squash(repo)
    mount.restart()
    assert path in {name.split("/")[0] for name in conflicts(mount)}
    mine = path if kind == "folder for file" else "folder/two.txt"
    assert (mount.path / mine).read_bytes() == b"mine\n"
    assert mount.run("commit", mount.path, check=False).returncode == CONFLICT
    mount.run("resolve", mount.path, "--theirs")
    assert shown(mount) - repo.paths() == {
        name for name in shown(mount) if ".hubfs-ours" in name} != set()


def test_a_mount_that_goes_on_when_all_is_cached(repo, mount):
    edit(mount)
    os.listdir(mount.path / "folder")
    repo.commit({"notes.txt": b"their notes\n"})
    squash(repo)
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.titles()[0] == "mine" and len(repo.titles()) == 2
    is_edited(mount)
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    assert shown(mount) == repo.paths()


def test_a_mount_pulls_when_all_is_cached(repo, mount):
    edit(mount)
    repo.commit({"notes.txt": b"their notes\n"})
    squash(repo)
    mount.run("pull", mount.path)
    assert (mount.path / "notes.txt").read_bytes() == b"their notes\n"
    is_edited(mount)
    mount.run("commit", mount.path)
    assert shown(mount) == repo.paths()


def test_the_branch_was_made_anew(repo, mount):
    repo.api.create_branch(repo.name, branch="dev")
    mount.unmount()
    mount.start(f"hf://{repo.name}@dev", "-w", "--commit", "manual")
    (mount.path / "config.json").write_bytes(b"first\n")
    mount.run("commit", mount.path)
    edit(mount)
    forget(mount)
    repo.api.delete_branch(repo.name, branch="dev")
    squash(repo)
    with pytest.raises(RuntimeError, match="dev"):
        mount.restart()
    repo.api.create_branch(repo.name, branch="dev")
    mount.restart()
    is_edited(mount)


def test_recover_commits_them(repo, mount):
    edit(mount)
    forget(mount)
    head = squash(repo)
    mount.run("recover", "--commit", "-m", "mine")
    assert repo.titles()[0] == "mine"
    assert repo.git("rev-parse", "main^").strip() == head
    assert repo.text("config.json") == "mine\n"


def test_recover_copies_what_is_here(repo, mount, tmp_path):
    edit(mount)
    forget(mount)
    repo.commit({"weights.bin": b"other weights"})
    squash(repo)
    done = mount.run("recover", "--export", tmp_path / "saved", check=False)
    assert done.returncode == FAILURE
    assert "not copied: weights.bin: only what was edited is in weights.bin.hubfs-partial" in done.stderr
    assert "only moved, its bytes are the Hub's: folder/moved.txt" in done.stderr
    saved = {
        str(path.relative_to(tmp_path / "saved")): path.read_bytes()
        for path in (tmp_path / "saved").rglob("*") if path.is_file()
    }
    assert saved == {
        "config.json": b"mine\n", "new/file.txt": b"new\n",
        "weights.bin.hubfs-partial": bytes(100_000) + b"edited" + bytes(300_000 - 100_006),
    }


def test_bytes_that_are_nowhere_any_more(repo, mount, tmp_path):
    """Nobody has what was around the edit: the mount that has it says so, and the next goes on."""
    with (mount.path / "weights.bin").open("r+b") as file:
        file.seek(100_000)
        file.write(b"edited")
    (mount.path / "notes.txt").write_bytes(b"mine\n")
    repo.commit({"weights.bin": b"other weights"})
    head = squash(repo)
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == UNSENT and "mount again" in done.stderr
    mount.run("umount", "--no-commit", mount.path)
    assert mount.wait() == 0
    mount.restart()
    assert conflicts(mount) == {"weights.bin": "file"}
    assert (mount.path / "notes.txt").read_bytes() == b"mine\n"
    mount.run("commit", mount.path, "notes.txt")
    assert repo.git("rev-parse", "main^").strip() == head and repo.text("notes.txt") == "mine\n"
    mount.run("resolve", mount.path, "--theirs")
    assert (mount.path / "weights.bin").read_bytes() == b"other weights"
    mount.run("umount", "--no-commit", mount.path)
    assert mount.wait() == 0
    mount.run("recover", "--export", tmp_path / "saved", check=False)
    kept = (tmp_path / "saved/weights.bin.hubfs-ours.hubfs-partial").read_bytes()
    assert kept[100_000:100_006] == b"edited" and len(kept) == 300_000
