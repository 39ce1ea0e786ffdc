"""`hubfs discard`: edits are given up while the mount goes on."""

from __future__ import annotations

import os
import shutil

import program
import pytest
from conftest import FILES_TO_EDIT


@pytest.fixture
def mount(editor, repo):
    path = editor.mount(repo, "-w", "--commit", "manual")
    # The kernel has seen everything, so that what it remembers matters.
    assert contents(path) == FILES_TO_EDIT
    return path


def contents(path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*") if file.is_file() and file.name != ".gitattributes"
    }


def changes(hubfs, path) -> dict[str, str]:
    return {change["path"]: change["kind"] for change in hubfs.status(path)["edits"]["changes"]}


def test_every_kind_of_edit_is_undone(editor, mount):
    (mount / "config.json").write_text("{}\n")
    (mount / "new/sub").mkdir(parents=True)
    (mount / "new/sub/file").write_text("new\n")
    (mount / "data/a.txt").unlink()
    (mount / "weights.bin").rename(mount / "model.bin")
    os.symlink("config.json", mount / "link")
    # The way editors save.
    (mount / "notes.txt.tmp").write_text("saved\n")
    (mount / "notes.txt.tmp").rename(mount / "notes.txt")
    assert "discarded" in editor.succeed("discard", "--yes", mount)
    assert contents(mount) == FILES_TO_EDIT
    assert sorted(os.listdir(mount)) == sorted(
        [".gitattributes", "config.json", "data", "notes.txt", "weights.bin"])
    assert changes(editor, mount) == {} and editor.status(mount)["edits"]["localOnly"] == []


def test_folders_that_were_moved_or_removed_are_back(editor, mount):
    (mount / "data").rename(mount / "moved")
    (mount / "moved/a.txt").write_text("edited\n")
    editor.succeed("discard", "--yes", mount)
    assert contents(mount) == FILES_TO_EDIT and not (mount / "moved").exists()
    shutil.rmtree(mount / "data")
    (mount / "data").write_text("a file now\n")
    editor.succeed("discard", "--yes", mount, "data")
    assert contents(mount) == FILES_TO_EDIT


def test_only_what_is_named(editor, mount):
    for path in ["config.json", "data/a.txt", "data/b.txt", "data/deep/new.txt"]:
        (mount / path).write_text("edited\n")
    (mount / "data/deep/c.txt").unlink()
    assert "discarded 1 edit\n" == editor.succeed("discard", "--yes", mount, "data/a.txt")
    assert set(changes(editor, mount)) == {
        "config.json", "data/b.txt", "data/deep/new.txt", "data/deep/c.txt",
    }
    assert "discarded 3 edits" in editor.succeed("discard", "--yes", mount, "data", "data/b.txt")
    assert set(changes(editor, mount)) == {"config.json"}
    message = editor.fail(program.NOT_FOUND, "discard", "--yes", mount, "config.json", "data")
    assert "nothing is edited at data" in message
    assert set(changes(editor, mount)) == {"config.json"}


def test_it_holds_after_a_remount_and_a_commit_has_only_the_rest(editor, git, repo, mount):
    (mount / "config.json").write_text("{}\n")
    (mount / "notes.txt").write_text("kept\n")
    editor.succeed("discard", "--yes", mount, "config.json")
    editor.succeed("umount", mount)
    again = editor.mount(repo, "-w", "--commit", "manual")
    assert contents(again) == FILES_TO_EDIT | {"notes.txt": b"kept\n"}
    editor.succeed("commit", again)
    assert git.blob("config.json") == FILES_TO_EDIT["config.json"]
    assert git.blob("notes.txt") == b"kept\n"


def test_a_file_open_for_writing_keeps_everything(editor, mount):
    (mount / "config.json").write_text("{}\n")
    with (mount / "notes.txt").open("r+b") as file:
        file.write(b"edited")
        file.flush()
        message = editor.fail(program.BUSY, "discard", "--yes", mount)
        assert "notes.txt" in message and "nothing was discarded" in message
    assert set(changes(editor, mount)) == {"config.json", "notes.txt"}
    editor.succeed("discard", "--yes", mount)
    assert contents(mount) == FILES_TO_EDIT


def test_a_reader_keeps_its_bytes_and_sees_that_the_file_is_another(editor, mount):
    (mount / "config.json").write_text("edited\n")
    (mount / "new.txt").write_text("new\n")
    with (mount / "config.json").open("rb") as edited, (mount / "new.txt").open("rb") as new:
        editor.succeed("discard", "--yes", mount)
        assert (mount / "config.json").read_bytes() == FILES_TO_EDIT["config.json"]
        assert not (mount / "new.txt").exists()
        assert os.fstat(edited.fileno()).st_ino != (mount / "config.json").stat().st_ino
        assert edited.read() == b"edited\n"
        assert new.read() == b"new\n"
    # What stands there now can be edited like anything else.
    (mount / "config.json").write_text("again\n")
    assert changes(editor, mount) == {"config.json": "modified"}


def test_after_a_commit_only_what_came_later_is_given_up(editor, git, mount):
    (mount / "config.json").write_text("committed\n")
    (mount / "new").mkdir()
    (mount / "new/file").write_text("committed\n")
    editor.succeed("commit", mount)
    (mount / "config.json").write_text("later\n")
    (mount / "new/file").write_text("later\n")
    (mount / "new/more").write_text("later\n")
    editor.succeed("discard", "--yes", mount)
    assert (mount / "config.json").read_text() == "committed\n"
    assert os.listdir(mount / "new") == ["file"]
    assert (mount / "new/file").read_text() == "committed\n"


def test_nobody_is_there_to_be_asked(editor, mount):
    (mount / "config.json").write_text("{}\n")
    assert "--yes" in editor.fail(program.USAGE, "discard", mount)
    assert changes(editor, mount) == {"config.json": "modified"}


def test_without_edits_there_is_nothing_to_give_up(editor, mount):
    assert "discarded 0 edits" in editor.succeed("discard", "--yes", mount)
