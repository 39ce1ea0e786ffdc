"""`hubfs resolve`: what it says, which mount it means, and how it ends."""

from __future__ import annotations

import os
import signal

import program
import pytest
from huggingface_hub import CommitOperationAdd, HfApi


@pytest.fixture
def mount(editor, repo):
    return editor.mount(repo, "-w", "--commit", "manual")


@pytest.fixture
def conflict(hub, editor, repo, mount, write_token):
    """A mount with an edit that others made differently."""
    (mount / "config.json").write_text("mine\n")
    (mount / "notes.txt").write_text("mine\n")
    operations = [
        CommitOperationAdd("config.json", b"theirs\n"), CommitOperationAdd("data/a.txt", b"theirs\n")
    ]
    api = HfApi(endpoint=hub.address.endpoint, token=write_token)
    api.create_commit(repo, operations, commit_message="theirs")
    message = editor.fail(program.CONFLICT, "commit", mount)
    assert "config.json" in message and "hubfs resolve" in message
    return mount


def test_it_says_what_it_has_done(editor, conflict):
    shown = editor.succeed("status", conflict)
    assert "conflicts, for hubfs resolve to decide" in shown
    assert "! config.json (others changed it)" in shown
    assert editor.status(conflict)["edits"]["conflicts"] == [
        {"path": "config.json", "theirs": "file"}]
    assert editor.succeed("resolve", conflict / "config.json", "--theirs").splitlines() == [
        "resolved 1 conflict", "your version is kept as config.json.hubfs-ours"]
    shown = editor.succeed("status", conflict)
    assert "conflicts" not in shown
    assert "config.json.hubfs-ours (your version, which gave way to somebody else's" in shown


def test_ours(editor, git, conflict):
    assert editor.succeed("resolve", "--ours", conflict) == "resolved 1 conflict\n"
    editor.succeed("commit", conflict)
    assert git.blob("config.json") == b"mine\n" and git.blob("data/a.txt") == b"theirs\n"


def test_a_pull_ends_in_the_same_way(editor, conflict):
    assert "config.json" in editor.fail(program.CONFLICT, "pull", conflict)
    editor.succeed("resolve", "--theirs", conflict, "config.json")
    editor.succeed("pull", conflict)
    assert (conflict / "data/a.txt").read_text() == "theirs\n"


def test_the_next_mount_speaks_of_it(editor, repo, conflict):
    editor.succeed("umount", conflict)
    assert "1 conflict" in editor.succeed("recover")
    assert editor.json("recover")["workspaces"][0]["conflicts"] == [
        {"path": "config.json", "theirs": "file"}]
    done = editor.run("mount", "-w", "--commit", "manual", repo, conflict)
    assert done.returncode == 0 and "1 path was changed by others too" in done.stderr
    editor.succeed("resolve", "--ours", conflict)


def test_what_is_not_understood(editor, conflict):
    assert "--ours" in editor.fail(program.USAGE, "resolve", conflict)
    assert "--ours" in editor.fail(program.USAGE, "resolve", "--ours", "--theirs", conflict)
    editor.fail(program.USAGE, "resolve", "--ours")
    message = editor.fail(program.NOT_FOUND, "resolve", "--ours", conflict / "notes.txt")
    assert "no conflict is known at notes.txt" in message


def test_no_mount(editor, hubfs, tmp_path):
    (tmp_path / "file").write_text("")
    message = editor.fail(program.MOUNT_POINT, "resolve", "--ours", tmp_path / "file")
    assert "is in no mount of hubfs" in message
    reading = hubfs.mount("lab/sample")
    assert "read only" in editor.fail(program.USAGE, "resolve", "--ours", reading / "config.json")


def test_paths_from_the_current_directory(editor, conflict, tmp_path):
    (tmp_path / "link").symlink_to(conflict)
    message = editor.fail(program.NOT_FOUND, "resolve", "--ours", "notes.txt", cwd=conflict)
    assert "at notes.txt" in message
    message = editor.fail(program.NOT_FOUND, "resolve", "--ours", "link/data/a.txt", cwd=tmp_path)
    assert "at data/a.txt" in message
    message = editor.fail(
        program.NOT_FOUND, "resolve", "--ours", "../config.json", "a.txt", cwd=conflict / "data")
    assert "at data/a.txt" in message
    editor.succeed("resolve", "--ours", "../config.json", cwd=conflict / "data")


def test_the_other_commands_take_paths_in_the_same_way(editor, conflict):
    for path in ["config.json", conflict / "config.json"]:
        assert editor.succeed("diff", "--name-only", conflict, path) == "config.json\n"
    shown = editor.succeed("diff", "--name-only", conflict, "../notes.txt", cwd=conflict / "data")
    assert shown == "notes.txt\n"
    editor.succeed("discard", "--yes", conflict, "../notes.txt", cwd=conflict / "data")
    assert editor.succeed("diff", "--name-only", conflict) == "config.json\n"
    shown = editor.succeed("commit", "--dry-run", conflict, "../config.json", cwd=conflict / "data")
    assert shown.startswith("~ config.json")


def test_a_daemon_that_hangs_does_not_hang_the_command(editor, conflict):
    pid = editor.status(conflict)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        message = editor.fail(program.TIMED_OUT, "resolve", "--ours", conflict / "config.json")
        assert "does not answer" in message
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_daemon_that_died(editor, conflict):
    pid = editor.status(conflict)["pid"]
    os.kill(pid, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pid))
    message = editor.fail(program.MOUNT_POINT, "resolve", "--ours", conflict / "config.json")
    assert "has died" in message
