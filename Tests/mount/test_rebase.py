"""Commits of a writable mount beside those of others, made by the official client."""

from __future__ import annotations

import os
import time

import pytest
from foreign import Repo, shown
from samples import MEBIBYTE, noise

FILES = {
    "config.json": b'{"a": 1}\n',
    "folder/one.txt": b"one\n",
    "folder/two.txt": b"two\n",
    "folder/deep/three.txt": b"three\n",
    "other/four.txt": b"four\n",
    "model.bin": noise(12 * MEBIBYTE, seed=71),
}


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w")


def test_one_unmount_is_one_commit(repo, mount):
    before = repo.titles()
    (mount.path / "config.json").write_bytes(b'{"a": 2}\n')
    (mount.path / "new.txt").write_bytes(b"new\n")
    (mount.path / "other/four.txt").unlink()
    os.rename(mount.path / "folder", mount.path / "moved")
    same = (mount.path / "model.bin").read_bytes()
    (mount.path / "model.bin").write_bytes(same)
    mount.run("umount", mount.path)
    assert mount.wait() == 0
    assert len(repo.titles()) == len(before) + 1
    changes = repo.git("show", "--format=", "--name-status", "--no-renames", "main").split("\n")
    assert {tuple(line.split("\t")) for line in changes if line} == {
        ("M", "config.json"), ("A", "new.txt"), ("D", "other/four.txt"),
        ("D", "folder/one.txt"), ("D", "folder/two.txt"), ("D", "folder/deep/three.txt"),
        ("A", "moved/one.txt"), ("A", "moved/two.txt"), ("A", "moved/deep/three.txt"),
    }


def test_a_commit_goes_on_top_of_a_foreign_one(repo, mount):
    assert (mount.path / "folder/one.txt").read_bytes() == b"one\n"
    assert not (mount.path / "fresh").exists()
    (mount.path / "config.json").write_bytes(b"mine\n")
    held = open(mount.path / "folder/two.txt", "rb")
    foreign = repo.commit(
        {"folder/one.txt": b"theirs\n", "folder/two.txt": None, "fresh/a.txt": b"fresh\n"})
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.titles()[:2] == ["mine", "foreign"]
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.text("config.json") == "mine\n" and repo.text("folder/one.txt") == "theirs\n"
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    assert (mount.path / "fresh/a.txt").read_bytes() == b"fresh\n"
    assert not (mount.path / "folder/two.txt").exists()
    assert held.read() == b"two\n"
    held.close()
    assert shown(mount) == repo.paths()


def test_a_conflict_sends_nothing_and_keeps_both_sides(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "new.txt").write_bytes(b"new\n")
    repo.commit({"config.json": b"theirs\n"})
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == 13 and "config.json" in done.stderr
    assert repo.titles()[0] == "foreign" and repo.text("config.json") == "theirs\n"
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert mount.unmount() == 13
    mount.restart()
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert (mount.path / "new.txt").read_bytes() == b"new\n"


def test_the_same_edit_on_both_sides_is_no_conflict(repo, mount):
    (mount.path / "config.json").write_bytes(b"same\n")
    (mount.path / "folder/one.txt").unlink()
    (mount.path / "new.txt").write_bytes(b"new\n")
    repo.commit({"config.json": b"same\n", "folder/one.txt": None})
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.titles()[:2] == ["mine", "foreign"]
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["new.txt"]


def test_everything_done_by_others_already_is_no_commit(repo, mount):
    (mount.path / "config.json").write_bytes(b"same\n")
    foreign = repo.commit({"config.json": b"same\n"})
    mount.run("commit", mount.path)
    assert repo.head() == foreign
    assert mount.unmount() == 0
    assert repo.head() == foreign


def test_a_foreign_file_in_a_folder_that_is_deleted_is_a_conflict(repo, mount):
    for path in ("folder/one.txt", "folder/two.txt", "folder/deep/three.txt"):
        (mount.path / path).unlink()
    (mount.path / "folder/deep").rmdir()
    (mount.path / "folder").rmdir()
    repo.commit({"folder/late.txt": b"late\n"})
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == 13 and "folder" in done.stderr
    assert "folder/late.txt" in repo.paths()


def test_a_file_here_and_a_folder_there_of_one_name_are_a_conflict(repo, mount):
    (mount.path / "thing").write_bytes(b"a file\n")
    repo.commit({"thing/inside.txt": b"a folder\n"})
    assert mount.run("commit", mount.path, check=False).returncode == 13
    assert repo.paths() == set(FILES) | {".gitattributes", "thing/inside.txt"}


def test_pull_moves_to_the_head_with_the_edits(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    os.rename(mount.path / "other", mount.path / "elsewhere")
    listing = os.listdir(mount.path / "folder")
    assert sorted(listing) == ["deep", "one.txt", "two.txt"]
    head = repo.commit({"folder/one.txt": b"theirs\n", "folder/deep/three.txt": None})
    assert mount.run("pull", mount.path).stdout.strip() == head
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    assert sorted(os.listdir(mount.path / "folder")) == ["one.txt", "two.txt"]
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert (mount.path / "elsewhere/four.txt").read_bytes() == b"four\n"
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.git("rev-parse", "main^").strip() == head
    assert shown(mount) == repo.paths()


def test_pull_names_what_is_in_its_way_and_moves_nothing(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    with open(mount.path / "folder/two.txt", "r+b"):
        repo.commit({"config.json": b"theirs\n", "folder/two.txt": b"theirs\n"})
        done = mount.run("pull", mount.path, check=False)
        assert done.returncode == 13
        assert "config.json" in done.stderr and "folder/two.txt" in done.stderr
    assert (mount.path / "folder/two.txt").read_bytes() == b"two\n"


def test_a_workspace_without_edits_follows_the_branch(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert mount.unmount() == 0
    repo.commit({"config.json": b"theirs\n", "folder/one.txt": b"theirs\n"})
    mount.restart()
    assert (mount.path / "config.json").read_bytes() == b"theirs\n"
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"


def test_a_workspace_with_edits_stays_on_its_commit(repo, mount):
    mount.kill()
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert mount.unmount() == 0
    repo.commit({"folder/one.txt": b"theirs\n"})
    mount.restart()
    assert (mount.path / "folder/one.txt").read_bytes() == b"one\n"
    mount.run("pull", mount.path)
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    assert (mount.path / "config.json").read_bytes() == b"mine\n"


def test_on_conflict_pr_opens_a_pull_request_and_follows_it(repo, new_editable_mount):
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--on-conflict", "pr")
    base = repo.head()
    (mount.path / "config.json").write_bytes(b"mine\n")
    foreign = repo.commit({"config.json": b"theirs\n"})
    assert "refs/pr/1" in mount.run("commit", mount.path, "-m", "mine").stdout
    assert repo.head() == foreign
    assert repo.git("show", "refs/pr/1:config.json") == "mine\n"
    assert repo.git("rev-parse", "refs/pr/1^").strip() == base
    (mount.path / "new.txt").write_bytes(b"new\n")
    assert mount.unmount() == 0
    assert repo.git("show", "refs/pr/1:new.txt") == "new\n"
    assert repo.head() == foreign


def test_on_conflict_branch_makes_a_branch_and_follows_it(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    foreign = repo.commit({"config.json": b"theirs\n"})
    done = mount.run("commit", mount.path, "--on-conflict", "branch")
    branch = done.stdout.split()[-1]
    assert branch.startswith("main-hubfs-")
    assert repo.git("show", f"{branch}:config.json") == "mine\n"
    (mount.path / "new.txt").write_bytes(b"new\n")
    assert mount.unmount() == 0
    assert repo.git("show", f"{branch}:new.txt") == "new\n"
    assert repo.head() == foreign


def test_on_conflict_ours_replaces_what_others_did(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "other/four.txt").unlink()
    foreign = repo.commit({"config.json": b"theirs\n", "other/four.txt": b"theirs\n"})
    mount.run("commit", mount.path, "--on-conflict", "ours", "-m", "mine")
    assert repo.git("rev-parse", "main^").strip() == foreign
    assert repo.text("config.json") == "mine\n"
    assert "other/four.txt" not in repo.paths()
    assert shown(mount) == repo.paths()


def test_create_pr_leaves_the_branch_alone(repo, mount):
    head = repo.head()
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert "refs/pr/1" in mount.run("commit", mount.path, "--create-pr").stdout
    assert repo.head() == head
    assert repo.git("show", "refs/pr/1:config.json") == "mine\n"


def test_a_large_file_saved_without_a_change_stays_what_it_is(repo, mount):
    same = (mount.path / "model.bin").read_bytes()
    head = repo.head()
    for _ in range(2):
        (mount.path / "model.bin").write_bytes(same)
        mount.run("commit", mount.path)
        assert repo.head() == head
    assert os.getxattr(mount.path / "model.bin", "user.hubfs.sha256")


def test_more_than_one_commit_can_hold_goes_in_parts(repo, mount):
    head = repo.head()
    (mount.path / "many").mkdir()
    for number in range(5003):
        (mount.path / f"many/{number}.txt").write_bytes(b"%d\n" % number)
    (mount.path / "config.json").unlink()
    os.rename(mount.path / "folder", mount.path / "moved")
    mount.run("commit", mount.path, "-m", "many")
    assert repo.titles()[:2] == ["many (part 2)", "many (part 1)"]
    assert repo.git("rev-parse", "main~2").strip() == head
    assert shown(mount) == repo.paths()
    assert len(repo.git("ls-tree", "--name-only", "main:many").split()) == 5003
    mount.run("commit", mount.path)
    assert len(repo.titles()) == 4
    assert mount.unmount() == 0
    mount.restart()
    assert shown(mount) == repo.paths()


def test_a_conflict_in_a_later_part_sends_nothing(repo, mount):
    (mount.path / "many").mkdir()
    for number in range(5003):
        (mount.path / f"many/{number}.txt").write_bytes(b"%d\n" % number)
    # Files go in the order of their paths: this is in the second part.
    (mount.path / "other/four.txt").write_bytes(b"mine\n")
    repo.commit({"other/four.txt": b"theirs\n"})
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == 13 and "other/four.txt" in done.stderr
    assert repo.titles()[0] == "foreign" and repo.text("other/four.txt") == "theirs\n"
    mount.run("commit", mount.path, "--on-conflict", "ours")
    assert repo.text("other/four.txt") == "mine\n"
    assert shown(mount) == repo.paths()


def test_lines_the_hub_adds_to_gitattributes_show_in_the_mount(repo, mount):
    before = (mount.path / ".gitattributes").read_text()
    (mount.path / "weights.odd").write_bytes(noise(12 * MEBIBYTE, seed=72))
    mount.run("commit", mount.path)
    added = repo.text(".gitattributes")
    assert "weights.odd" in added and "weights.odd" not in before
    assert (mount.path / ".gitattributes").read_text() == added


def test_gitattributes_can_be_edited(repo, mount):
    mine = (mount.path / ".gitattributes").read_text() + "*.mine filter=lfs diff=lfs merge=lfs -text\n"
    (mount.path / ".gitattributes").write_text(mine)
    (mount.path / "more.odd").write_bytes(noise(12 * MEBIBYTE, seed=73))
    mount.run("commit", mount.path)
    assert "*.mine" in repo.text(".gitattributes")
    assert (mount.path / ".gitattributes").read_text() == repo.text(".gitattributes")
    head = repo.head()
    assert mount.unmount() == 0
    assert repo.head() == head


def test_a_file_and_a_folder_change_places(repo, mount):
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    first, second = (os.fsencode(mount.path / name) for name in ("config.json", "folder/deep"))
    assert libc.renameat2(-100, first, -100, second, 2) == 0
    mount.run("commit", mount.path)
    assert repo.text("folder/deep") == FILES["config.json"].decode()
    assert repo.text("config.json/three.txt") == "three\n"
    assert shown(mount) == repo.paths()


@pytest.mark.parametrize("moment", ["close", "interval:1"])
def test_edits_are_committed_by_themselves_once_nobody_writes(repo, new_editable_mount, moment):
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--commit", moment, "-m", "by itself")
    held = open(mount.path / "held.txt", "wb", buffering=0)
    held.write(b"not yet\n")
    (mount.path / "done.txt").write_bytes(b"done\n")
    deadline = time.monotonic() + 60
    while repo.titles()[0] != "by itself" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert repo.text("done.txt") == "done\n"
    assert "held.txt" not in repo.paths()
    held.close()
    assert mount.unmount() == 0
    assert repo.text("held.txt") == "not yet\n"


@pytest.mark.parametrize("moment", ["close", "interval:1"])
def test_edits_of_an_earlier_mount_are_committed_by_themselves(repo, new_editable_mount, moment):
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")
    (mount.path / "done.txt").write_bytes(b"done\n")
    mount.kill()
    mount.start(f"hf://{repo.name}", "-w", "--commit", moment, "-m", "by itself")
    deadline = time.monotonic() + 60
    while repo.titles()[0] != "by itself" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert repo.text("done.txt") == "done\n"
    titles = repo.titles()
    assert mount.unmount() == 0
    assert repo.titles() == titles


def test_what_was_renamed_and_came_back_is_not_deleted(repo, mount):
    for name in ("config.json", "model.bin", "folder"):
        os.rename(mount.path / name, mount.path / "away")
        os.rename(mount.path / "away", mount.path / name)
    (mount.path / "new.txt").write_bytes(b"new\n")
    mount.run("commit", mount.path, "-m", "mine")
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["new.txt"]
    assert shown(mount) == repo.paths()
    (mount.path / "config.json").unlink()
    mount.run("commit", mount.path, "-m", "gone")
    assert "config.json" not in repo.paths()
    assert shown(mount) == repo.paths()
