"""How a writable mount ends: what is at the Hub then, what is kept, and which code says so."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess

import mounting
import program
import pytest
from conftest import FILES_TO_EDIT
from samples import MEBIBYTE, noise

# A Hub that cannot be reached is given up soon.
IMPATIENT = ("--read-timeout", 1)


def edit(path) -> None:
    (path / "config.json").write_text("{}\n")
    (path / "new.txt").write_text("new\n")


def is_edited(path) -> bool:
    return (path / "config.json").read_text() == "{}\n" and (path / "new.txt").exists()


def pid_of(hubfs, path) -> int:
    return hubfs.status(path)["pid"]


def log_of(hubfs) -> str:
    return "".join(log.read_text() for log in hubfs.logs())


def test_unmounting_is_one_commit(editor, git, repo):
    path = editor.mount(repo, "-w")
    pid = pid_of(editor, path)
    before = git.rev()
    edit(path)
    text = editor.succeed("umount", path)
    [commit, parent, *_] = git.log()
    assert parent.oid == before and commit.oid in text and "committed 2 changes" in text
    assert (git.blob("config.json"), git.blob("new.txt")) == (b"{}\n", b"new\n")
    assert program.has_ended(pid)
    assert editor.json("recover")["workspaces"] == []


def test_without_edits_there_is_no_commit(editor, git, repo):
    path = editor.mount(repo, "-w")
    before = git.rev()
    assert editor.succeed("umount", path) == ""
    assert git.rev() == before


def test_while_the_hub_is_away_the_edits_are_kept(hub, editor, git, repo):
    path = editor.mount(repo, "-w", *IMPATIENT)
    before = git.rev()
    edit(path)
    hub.stop()
    try:
        message = editor.fail(program.UNSENT, "umount", path)
        assert "hubfs:" in message
        assert not program.is_mounted(path)
        [workspace] = editor.json("recover")["workspaces"]
        assert workspace["edits"] == 2 and workspace["lastFailure"]
    finally:
        hub.start()
    assert git.rev() == before
    again = editor.mount(repo, "-w")
    assert is_edited(again)
    editor.succeed("umount", again)
    assert git.blob("new.txt") == b"new\n"
    assert editor.json("recover")["workspaces"] == []


def test_a_token_that_may_only_read_is_refused_at_the_start(hubfs, repo, token):
    hubfs.environment["HF_TOKEN"] = token
    message = hubfs.fail(program.ACCESS_REFUSED, "mount", "-w", repo, hubfs.mount_point())
    assert "may write" in message


def test_rights_that_were_taken_away_are_told(hub, editor, git, repo):
    path = editor.mount(repo, "-w")
    edit(path)
    hub.add_fault("--status", 403, "--class", "api")
    message = editor.fail(program.REFUSED, "umount", path)
    assert "403" in message or "not allowed" in message or "refuse" in message
    hub.clear_faults()
    [workspace] = editor.json("recover")["workspaces"]
    assert workspace["edits"] == 2
    editor.succeed("recover", "--commit")
    assert git.blob("new.txt") == b"new\n"


def test_edits_are_kept_or_given_up_on_request(editor, git, repo):
    before = git.rev()
    path = editor.mount(repo, "-w")
    edit(path)
    editor.succeed("umount", "--no-commit", path)
    assert git.rev() == before
    path = editor.mount(repo, "-w")
    assert is_edited(path)
    editor.succeed("umount", "--discard", path)
    assert git.rev() == before
    path = editor.mount(repo, "-w")
    assert (path / "config.json").read_bytes() == FILES_TO_EDIT["config.json"]
    assert not (path / "new.txt").exists()


def test_what_a_refused_umount_asked_for_is_forgotten(editor, git, repo):
    path = editor.mount(repo, "-w")
    edit(path)
    with (path / "notes.txt").open("rb"):
        editor.fail(program.BUSY, "umount", "--discard", path)
    editor.succeed("umount", path)
    assert git.blob("new.txt") == b"new\n"


def test_the_wait_can_be_bounded(hub, editor, git, repo):
    path = editor.mount(repo, "-w")
    edit(path)
    hub.add_fault("--delay", "4s", "--class", "api", "--count", 1)
    message = editor.fail(program.TIMED_OUT, "umount", "--timeout", 1, path)
    assert "the daemon goes on" in message
    program.wait_until(lambda: "new.txt" in git.files())


def test_many_long_names_that_stay_do_not_hide_the_result(editor, git, repo):
    path = editor.mount(repo, "-w")
    edit(path)
    folder = path / "/".join(["long" * 60] * 3)
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"back\\slash{number}").write_bytes(b"1")
    message = editor.fail(program.REFUSED, "umount", path)
    # 60 files and the 3 folders above them, which are empty without them.
    assert "and 13 more" in message and "the name contains a backslash" in message
    assert "the workspace keeps it" in message
    assert git.blob("new.txt") == b"new\n"


def test_a_bare_umount_commits_in_the_daemon(editor, git, repo):
    path = editor.mount(repo, "-w")
    pid = pid_of(editor, path)
    edit(path)
    subprocess.run(["umount", path], check=True, timeout=30)
    program.wait_until(lambda: program.has_ended(pid))
    assert (git.blob("config.json"), git.blob("new.txt")) == (b"{}\n", b"new\n")
    assert "notice committed" in log_of(editor)


def test_the_next_mount_waits_for_the_commit(hub, editor, git, repo):
    path = editor.mount(repo, "-w")
    edit(path)
    hub.add_fault("--delay", "3s", "--class", "api", "--count", 1)
    subprocess.run(["umount", path], check=True, timeout=30)
    done = editor.run("mount", "-w", repo, path)
    assert done.returncode == 0, done.stderr
    assert "waiting for the last commit of these edits" in done.stderr
    assert git.blob("new.txt") == b"new\n"
    assert is_edited(path)
    assert editor.status(path)["commit"] == git.rev()


def test_a_mount_that_goes_on_is_not_waited_for(editor, repo):
    path = editor.mount(repo, "-w")
    message = editor.fail(program.MOUNT_POINT, "mount", "-w", repo, editor.mount_point())
    assert f"mounted at {path}" in message and "--workspace" in message


def test_sigterm_commits(editor, git, repo):
    path = editor.mount(repo, "-w")
    pid = pid_of(editor, path)
    edit(path)
    os.kill(pid, signal.SIGTERM)
    program.wait_until(lambda: program.has_ended(pid))
    assert not program.is_mounted(path)
    assert git.blob("new.txt") == b"new\n"


def test_a_second_signal_does_not_wait(hub, editor, git, repo):
    path = editor.mount_point()
    daemon = editor.start("mount", "-f", "-w", repo, path)
    program.wait_until(lambda: program.is_mounted(path))
    edit(path)
    hub.add_fault("--delay", "20s", "--class", "api")
    daemon.send_signal(signal.SIGINT)
    program.wait_until(lambda: not program.is_mounted(path))
    daemon.send_signal(signal.SIGINT)
    _, text = daemon.communicate(timeout=15)
    assert daemon.returncode == program.UNSENT
    assert "its edits are kept" in text
    hub.clear_faults()
    assert [workspace["edits"] for workspace in editor.json("recover")["workspaces"]] == [2]


def test_the_first_process_of_a_container_has_less_time(hub, editor, repo):
    """docker kills ten seconds after it has asked."""
    path = editor.mount_point()
    with subprocess.Popen(
        ["unshare", "--fork", "--pid", "--kill-child", mounting.binary(), "mount", "-f", "-w",
         repo, path],
        env=editor.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as container:
        try:
            program.wait_until(lambda: program.is_mounted(path))
            edit(path)
            hub.add_fault("--delay", "30s", "--class", "api")
            children = f"/proc/{container.pid}/task/{container.pid}/children"
            [pid] = open(children).read().split()
            os.kill(int(pid), signal.SIGTERM)
            _, text = container.communicate(timeout=25)
        finally:
            container.kill()
    assert container.returncode == program.UNSENT
    assert "--shutdown-timeout, 8.0 s" in text


def test_sigterm_keeps_what_takes_too_long(hub, editor, git, repo):
    path = editor.mount_point()
    daemon = editor.start("mount", "-f", "-w", repo, path, "--shutdown-timeout", 1)
    program.wait_until(lambda: program.is_mounted(path))
    before = git.rev()
    edit(path)
    hub.add_fault("--delay", "20s", "--class", "api")
    daemon.send_signal(signal.SIGTERM)
    _, text = daemon.communicate(timeout=30)
    assert daemon.returncode == program.UNSENT
    assert "its edits are kept" in text
    assert not program.is_mounted(path)
    hub.clear_faults()
    assert git.rev() == before
    [workspace] = editor.json("recover")["workspaces"]
    assert workspace["edits"] == 2
    editor.succeed("recover", "--commit")
    assert git.blob("new.txt") == b"new\n"


def test_with_manual_commits_the_end_keeps(editor, git, repo):
    path = editor.mount(repo, "-w", "--commit", "manual")
    before = git.rev()
    edit(path)
    editor.succeed("umount", path)
    assert git.rev() == before
    assert [workspace["edits"] for workspace in editor.json("recover")["workspaces"]] == [2]


def test_on_a_terminal_the_progress_is_shown(hub, editor, git, repo):
    path = editor.mount(repo, "-w")
    (path / "large.bin").write_bytes(noise(30 * MEBIBYTE, seed=9))
    hub.add_fault("--delay", "1s", "--class", "lfs")
    controller, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [mounting.binary(), "umount", path], env=editor.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
        )
        text = b""
        os.close(terminal)
        while True:
            try:
                if not (piece := os.read(controller, 4096)):
                    break
            except OSError:
                break
            text += piece
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        os.close(controller)
    shown = text.decode()
    assert re.search(r"uploading [\d.]+ \w+ of 30.0 MiB, [\d.]+ \w+/s, \d+ s left", shown), shown
    assert "large.bin" in git.files()
