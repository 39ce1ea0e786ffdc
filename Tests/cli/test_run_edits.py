"""`hubfs run` with writable volumes: what is committed, and what is kept when something is killed."""

from __future__ import annotations

import json
import os
import re
import signal

import localhub
import mounting
import program
import pytest
import test_run
from running import READY_AND_WAIT, children, run, start, workspaces


@pytest.fixture
def impatient(editor):
    """A Hub that cannot be reached is given up soon."""
    editor.environment["HUBFS_WAIT_FACTOR"] = "0.02"
    return editor


def test_what_was_edited_is_committed_when_the_command_succeeds(editor, git, repo):
    path = editor.mount_point()
    before = git.rev()
    done = run(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c", f"echo new > {path}/new.txt; echo out",
        options=["-m", "Add a file"],
    )
    assert (done.returncode, done.stdout) == (0, "out\n"), done.stderr
    [commit, parent, *_] = git.log()
    assert parent.oid == before and commit.title == "Add a file"
    assert f"{path}: committed 1 change as {commit.oid} on main" in done.stderr
    assert git.blob("new.txt") == b"new\n"
    assert workspaces(editor) == []


@pytest.mark.parametrize(
    ("commit_on", "code", "is_committed"),
    [("success", 3, False), ("always", 3, True), ("never", 0, False), ("never", 3, False)],
)
def test_when_edits_are_committed(editor, git, repo, commit_on, code, is_committed):
    path = editor.mount_point()
    before = git.rev()
    done = run(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c", f"echo new > {path}/new.txt; exit {code}",
        options=["--commit-on", commit_on],
    )
    assert done.returncode == code, done.stderr
    assert (git.rev() != before) == is_committed
    if is_committed:
        assert workspaces(editor) == []
        return
    [workspace] = workspaces(editor)
    assert workspace["edits"] == 1 and workspace["user"] is None
    assert f"hubfs recover --commit {workspace['name']}" in done.stderr
    editor.succeed("recover", "--commit", workspace["name"])
    assert git.blob("new.txt") == b"new\n"


def test_a_mount_that_commits_by_hand_is_kept(editor, git, repo):
    path = editor.mount_point()
    before = git.rev()
    done = run(
        editor, [f"hf://{repo}:{path}:rw"], "touch", path / "new.txt",
        options=["--commit", "manual"],
    )
    assert done.returncode == 0 and "recover --commit" in done.stderr
    assert git.rev() == before and workspaces(editor)[0]["edits"] == 1


def test_a_hub_that_is_away_at_the_end(hub, impatient, git, repo):
    editor = impatient
    path = editor.mount_point()
    before = git.rev()
    process = start(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c",
        f"echo new > {path}/new.txt; trap 'exit 0' USR1; {READY_AND_WAIT}",
    )
    hub.stop()
    try:
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == program.UNSENT
        [workspace] = workspaces(editor)
        assert workspace["edits"] == 1 and f"recover --commit {workspace['name']}" in errors
    finally:
        hub.start()
    assert git.rev() == before


def test_a_signal_during_the_last_commit_keeps_the_edits(hub, editor, git, repo):
    path = editor.mount_point()
    before = git.rev()
    process = start(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c",
        f"echo new > {path}/new.txt; trap 'exit 0' USR1; {READY_AND_WAIT}",
    )
    hub.add_fault("--stall", "--class", "api")
    hub.reset_stats()
    process.send_signal(signal.SIGUSR1)
    program.wait_until(lambda: hub.requests("api") > 0)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == program.UNSENT
    hub.clear_faults()
    assert git.rev() == before
    [workspace] = workspaces(editor)
    assert workspace["edits"] == 1 and f"recover --commit {workspace['name']}" in errors


def test_the_commands_own_failure_wins(hub, impatient, repo):
    editor = impatient
    path = editor.mount_point()
    process = start(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c",
        f"echo new > {path}/new.txt; trap 'exit 9' USR1; {READY_AND_WAIT}",
        options=["--commit-on", "always"],
    )
    hub.stop()
    try:
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=60)
        assert process.returncode == 9
        assert len(workspaces(editor)) == 1
    finally:
        hub.start()


def test_killing_the_run_kills_all_and_keeps_the_edits(editor, git, repo):
    path = editor.mount_point()
    before = git.rev()
    process = start(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c",
        f"echo new > {path}/new.txt; {READY_AND_WAIT}",
    )
    started = children(process.pid)
    assert sorted(started) == ["hubfs", "sh"]
    process.kill()
    process.communicate(timeout=30)
    for pid in started.values():
        program.wait_until(lambda pid=pid: program.has_ended(pid))
    assert list((editor.runtime / "hubfs").iterdir()) == []
    assert git.rev() == before
    [workspace] = workspaces(editor)
    assert workspace["edits"] == 1
    again = editor.mount(repo, "-w")
    assert (again / "new.txt").read_text() == "new\n"
    editor.succeed("umount", again)
    assert git.blob("new.txt") == b"new\n"


def test_killing_the_daemon_is_told_and_costs_no_edit(editor, repo):
    path = editor.mount_point()
    process = start(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-c",
        f"echo new > {path}/new.txt; trap 'exit 0' USR1; {READY_AND_WAIT}",
    )
    os.kill(children(process.pid)["hubfs"], signal.SIGKILL)
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == program.UNSENT
    assert "its daemon has ended before" in errors
    assert workspaces(editor)[0]["edits"] == 1


def test_the_command_can_ask_about_its_volumes(editor, git, repo):
    path = editor.mount_point()
    done = run(
        editor, [f"hf://{repo}:{path}:rw"], "sh", "-ec", f"""
            {mounting.binary()} status --json {path}
            echo new > {path}/new.txt
            {mounting.binary()} commit {path} -m 'In between' >&2
            exit 4
        """,
    )
    assert done.returncode == 4, done.stderr
    [mount] = json.loads(done.stdout)["mounts"]
    assert mount["mountPoint"] == str(path) and mount["edits"]["ref"] == "main"
    assert git.log()[0].title == "In between"
    assert workspaces(editor) == []


def test_edits_in_use_by_a_run_are_refused_at_once(editor, repo):
    path, other = editor.mount_point(), editor.mount_point()
    process = start(editor, [f"hf://{repo}:{path}:rw"], "sh", "-c", READY_AND_WAIT)
    message = editor.fail(program.MOUNT_POINT, "mount", "-w", repo, other)
    assert f"mounted at {path}" in message
    process.terminate()
    process.communicate(timeout=30)


def test_the_sentences_of_the_document_are_held_by_tests():
    """docs/SEMANTICS.md, "In hubfs run"."""
    document = (localhub.REPOSITORY / "docs/SEMANTICS.md").read_text()
    tests = {
        "R1": test_run.test_the_command_sees_the_volumes_and_nobody_else,
        "R2": test_run.test_what_the_command_leaves_running_does_not_hold_the_volume,
        "R3": test_killing_the_run_kills_all_and_keeps_the_edits,
        "R4": test_when_edits_are_committed,
    }
    assert re.findall(r"\((R\d+)\)", document) == list(tests)
