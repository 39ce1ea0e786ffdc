"""Edits whose mount has gone: `hubfs recover`, and the next writable mount."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import time

import mounting
import program
import pytest
from conftest import FILES_TO_EDIT
from huggingface_hub import HfApi


def listed(hubfs) -> list[dict]:
    return hubfs.json("recover")["workspaces"]


def edit(path) -> None:
    """One file changed, one new, one gone, one renamed."""
    (path / "config.json").write_text("{}\n")
    (path / "new").mkdir()
    (path / "new/file.txt").write_text("new\n")
    (path / "data/a.txt").unlink()
    (path / "weights.bin").rename(path / "model.bin")


def kill(hubfs, path) -> None:
    """Ends a daemon as a crash would, and takes the dead mount away."""
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pid))
    mounting.detach(path)


@pytest.fixture
def left(editor, repo, git):
    """A repo's edits, left behind by a daemon that was killed."""
    path = editor.mount(repo, "-w")
    edit(path)
    kill(editor, path)
    return repo


def test_without_edits_there_is_nothing_to_recover(editor, repo):
    path = editor.mount(repo, "-w")
    assert listed(editor) == []
    editor.succeed("umount", path)
    assert listed(editor) == []
    assert "no edits" in editor.succeed("recover")
    editor.fail(program.NOT_FOUND, "recover", "--commit")


def test_a_daemon_that_was_killed_leaves_its_edits(hub, editor, git, left):
    [workspace] = listed(editor)
    assert workspace["repo"] == f"models/{left}"
    assert workspace["branch"] == "main" and workspace["path"] == ""
    assert workspace["endpoint"] == hub.address.endpoint
    assert workspace["base"] == git.rev()
    assert workspace["edits"] == 4
    assert workspace["user"] is None
    assert 0 <= time.time() - workspace["usedSeconds"] < 120
    text = editor.succeed("recover", "--list")
    assert f"models/{left}@main" in text and "4 edits" in text and "not mounted" in text


def test_they_are_committed_without_a_mount(editor, git, left):
    before = git.rev()
    text = editor.succeed("recover", "--commit", left, "-m", "Saved")
    [commit, parent, *_] = git.log()
    assert (commit.title, parent.oid) == ("Saved", before)
    assert commit.oid in text
    assert git.files() - {".gitattributes"} == {
        "config.json", "notes.txt", "model.bin", "data/b.txt", "data/deep/c.txt", "new/file.txt",
    }
    assert git.blob("config.json") == b"{}\n"
    assert listed(editor) == []


def test_they_are_exported(hub, editor, left, tmp_path):
    hub.reset_stats()
    folder = tmp_path / "saved"
    text = editor.succeed("recover", "--export", folder)
    assert sorted(text.split()) == ["config.json", "new/file.txt"]
    assert {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*") if path.is_file()
    } == {"config.json": "{}\n", "new/file.txt": "new\n"}
    # Whole files need nothing of the Hub.
    assert hub.asked() == {}
    assert [workspace["edits"] for workspace in listed(editor)] == [4]
    message = editor.fail(program.USAGE, "recover", "--export", folder)
    assert "not empty" in message


def test_an_export_has_what_can_never_be_committed(editor, repo, tmp_path):
    path = editor.mount(repo, "-w")
    (path / "link").symlink_to("/etc/passwd")
    (path / "empty").mkdir()
    (path / "back\\slash").write_bytes(b"1")
    (path / ".git").mkdir()
    (path / ".git/config").write_bytes(b"2")
    with (path / "weights.bin").open("r+b") as file:
        file.write(b"four")
    kill(editor, path)
    folder = tmp_path / "saved"
    editor.succeed("recover", "--export", folder)
    assert os.readlink(folder / "link") == "/etc/passwd"
    assert list((folder / "empty").iterdir()) == []
    assert (folder / "back\\slash").read_bytes() == b"1"
    assert (folder / ".git/config").read_bytes() == b"2"
    assert (folder / "weights.bin").read_bytes() == b"four" + FILES_TO_EDIT["weights.bin"][4:]


def journal_of(hubfs) -> sqlite3.Connection:
    [workspace] = listed(hubfs)
    return sqlite3.connect(f"{workspace['folder']}/journal.db")


def everything_in(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "name",
    [b"..", b".", b"", b"a/b", b"/etc/hubfs", b"../escaped", b"../../escaped", b"x\0y", b"x" * 256],
    ids=repr,
)
def test_no_name_of_a_tampered_journal_leads_out_of_an_export(editor, left, tmp_path, name):
    with contextlib.closing(journal_of(editor)) as journal, journal:
        journal.execute("UPDATE node SET name = ? WHERE name = ?", (name, b"file.txt"))
    before = everything_in(tmp_path)
    message = editor.fail(program.FAILURE, "recover", "--export", tmp_path / "deep/saved")
    assert "not copied: new/" in message and "cannot be a file's name" in message
    written = {path for path in everything_in(tmp_path) - before if not path.startswith("hubfs")}
    assert written == {"deep", "deep/saved", "deep/saved/config.json"}


@pytest.mark.parametrize(
    "change",
    [
        # A file below a link: written through it, it would land where the link points.
        "UPDATE node SET parent = (SELECT number FROM node WHERE kind = 2) WHERE name = X'66696c652e747874'",
        "UPDATE node SET parent = number WHERE name = X'6e6577'",
        "UPDATE node SET parent = 4000 WHERE name = X'6e6577'",
        "UPDATE node SET kind = 7 WHERE name = X'6e6577'",
        "UPDATE layer SET size = -1",
        "UPDATE extent SET start = -1",
        "UPDATE extent SET stop = start",
        "UPDATE extent SET kind = 9",
        "UPDATE node SET base_commit = 'head' WHERE base_commit IS NOT NULL",
    ],
)
def test_a_journal_that_makes_no_sense_is_refused(editor, repo, tmp_path, change):
    path = editor.mount(repo, "-w")
    edit(path)
    (tmp_path / "outside").mkdir()
    (path / "link").symlink_to(tmp_path / "outside")
    with (path / "notes.txt").open("ab") as file:
        file.write(b"more")
    kill(editor, path)
    with contextlib.closing(journal_of(editor)) as journal, journal:
        journal.execute(change)
    folder = os.listdir(editor.folder / "state/hubfs/workspaces")
    for command in (
        ["recover", "--export", tmp_path / "saved"], ["mount", repo, editor.mount_point(), "-w"]
    ):  # fmt: skip
        done = editor.run(*command)
        assert done.returncode != 0 and done.returncode > 0
        assert folder[0] in done.stderr, done.stderr
    assert not (tmp_path / "saved").exists() and everything_in(tmp_path / "outside") == set()


def test_they_are_given_up_only_when_that_is_confirmed(editor, git, left):
    before = git.rev()
    message = editor.fail(program.USAGE, "recover", "--drop")
    assert "4 edits" in message and "--yes" in message
    assert len(listed(editor)) == 1
    editor.succeed("recover", "--drop", "--yes")
    assert listed(editor) == []
    path = editor.mount(left, "-w")
    assert (path / "config.json").read_bytes() == FILES_TO_EDIT["config.json"]
    assert git.rev() == before


@pytest.mark.parametrize(("answer", "left_over"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_on_a_terminal_one_is_asked(editor, left, answer, left_over):
    controller, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [mounting.binary(), "recover", "--drop"], env=editor.environment,
            stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
        )
        os.write(controller, answer)
        process.communicate(timeout=60)
        asked = os.read(controller, 4096).decode()
        assert f"Give up 4 edits of models/{left}@main? [y/N]" in asked
        assert process.returncode == (program.FAILURE if left_over else 0)
    finally:
        os.close(controller)
        os.close(terminal)
    assert len(listed(editor)) == left_over


def test_a_workspace_in_use_is_left_alone(editor, repo):
    path = editor.mount(repo, "-w", "--commit", "manual")
    edit(path)
    [workspace] = listed(editor)
    assert str(path) in workspace["user"]
    for what in (["--commit"], ["--drop", "--yes"], ["--export", path.parent / "saved"]):
        message = editor.fail(program.BUSY, "recover", *what)
        assert f"mounted at {path}" in message
    assert (path / "new/file.txt").read_text() == "new\n"


def test_one_of_several_must_be_named(editor, repo):
    for name in ["one", "two"]:
        path = editor.mount(repo, "-w", "--commit", "manual", "--workspace", name)
        (path / f"{name}.txt").write_text(name)
        editor.succeed("umount", path)
    names = [workspace["name"] for workspace in listed(editor)]
    message = editor.fail(program.USAGE, "recover", "--commit")
    assert all(name in message for name in names)
    assert "called nobody" in editor.fail(program.NOT_FOUND, "recover", "--commit", "nobody")
    editor.succeed("recover", "--commit", names[0])
    assert [workspace["name"] for workspace in listed(editor)] == names[1:]


def test_a_token_is_not_sent_to_another_hub(editor, left):
    message = editor.fail(
        program.USAGE, "recover", "--commit", "--endpoint", "http://127.0.0.1:9")
    assert "these edits are for" in message


def test_the_next_mount_goes_on_and_says_so(editor, git, left):
    path = editor.mount_point()
    done = editor.run("mount", left, path, "-w")
    assert done.returncode == 0
    assert "4 edits" in done.stderr and git.rev() in done.stderr
    assert (path / "new/file.txt").read_text() == "new\n"
    editor.succeed("umount", path)
    assert git.blob("new/file.txt") == b"new\n"


@pytest.fixture
def disputed(hub, editor, left, git, write_token):
    """Left-behind edits, of which somebody else has changed a file meanwhile."""
    HfApi(endpoint=hub.address.endpoint, token=write_token).upload_file(
        path_or_fileobj=b"theirs\n", path_in_repo="config.json", repo_id=left,
        commit_message="foreign")
    return left


def test_what_others_changed_too_is_not_replaced_unasked(editor, git, disputed):
    theirs = git.rev()
    message = editor.fail(program.CONFLICT, "recover", "--commit")
    assert "config.json" in message
    assert git.rev() == theirs
    [workspace] = listed(editor)
    assert [item["path"] for item in workspace["conflicts"]] == ["config.json"]


@pytest.mark.parametrize("policy", ["ours", "theirs", "branch", "pr"])
def test_how_conflicts_are_decided_can_be_said(editor, git, disputed, policy):
    theirs = git.rev()
    editor.succeed(
        "recover", "--commit", "--on-conflict", policy, "-m", "mine", "--description", "More")
    if policy in ("branch", "pr"):
        assert git.rev() == theirs
        [ref] = [ref for ref in git.refs() if "hubfs" in ref or "refs/pr/" in ref]
    else:
        ref = "refs/heads/main"
        assert git.log()[1].title == "foreign"
    assert git.blob("new/file.txt", ref) == b"new\n"
    expected = b"theirs\n" if policy == "theirs" else b"{}\n"
    assert git.blob("config.json", ref) == expected
    path = editor.mount(disputed, "-w", "--commit", "manual")
    assert (path / "config.json").read_bytes() == expected
    if policy == "theirs":
        assert (path / "config.json.hubfs-ours").read_bytes() == b"{}\n"


def test_they_are_committed_to_another_branch(editor, git, left):
    before = git.rev()
    message = editor.fail(program.NOT_FOUND, "recover", "--commit", "--branch", "saved")
    assert "--create-branch" in message
    editor.succeed("recover", "--commit", "--branch", "saved", "--create-branch")
    assert git.rev() == before and git.blob("config.json", "refs/heads/saved") == b"{}\n"


def test_a_pull_request_is_opened_for_them(editor, git, left):
    before = git.rev()
    assert "refs/pr/1" in editor.succeed("recover", "--commit", "--create-pr")
    assert git.rev() == before and git.blob("config.json", "refs/pr/1") == b"{}\n"


def test_what_a_commit_is_like_is_said_of_a_commit(editor, left):
    for words in (["-m", "x"], ["--on-conflict", "ours"], ["--branch", "x"]):
        assert "--commit" in editor.fail(program.USAGE, "recover", *words)
