"""`hubfs run`: a command with volumes that it alone sees, its signals and its end."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import mounting
import program
import pytest
from conftest import FILES
from running import READY_AND_WAIT, children, run, start
from users import USER, Machine, passable


def test_the_command_sees_the_volumes_and_nobody_else(hubfs):
    path = hubfs.mount_point()
    process = start(hubfs, [f"hf://lab/sample:{path}"], "sh", "-c", f"""
        echo ready
        sha256sum < {path}/weights.safetensors
        until test -e {hubfs.folder}/seen; do sleep 0.05; done
        cat {path}/config.json
    """)
    daemon = children(process.pid)["hubfs"]
    assert not program.is_mounted(path) and os.listdir(path) == []
    (hubfs.folder / "seen").touch()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert FILES["config.json"].decode() in output
    assert program.has_ended(daemon)
    assert list((hubfs.runtime / "hubfs").iterdir()) == []


@pytest.mark.parametrize("code", [0, 1, 5, 77])
def test_the_commands_code_is_passed_on(hubfs, code):
    done = run(hubfs, [f"hf://lab/sample:{hubfs.mount_point()}"], "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stderr) == (code, "")


def test_a_signal_that_ends_the_command_is_told_as_shells_do(hubfs):
    done = run(hubfs, [f"hf://lab/sample:{hubfs.mount_point()}"], "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL


def test_a_command_that_cannot_be_run(hubfs):
    volumes = [f"hf://lab/sample:{hubfs.mount_point()}"]
    done = run(hubfs, volumes, "no-such-command")
    assert done.returncode == 127 and "no-such-command" in done.stderr
    assert run(hubfs, volumes, "/etc/passwd").returncode == 126


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_are_passed_on(hubfs, name):
    process = start(
        hubfs, [f"hf://lab/sample:{hubfs.mount_point()}"],
        "sh", "-c", f"trap 'echo {name}; exit 7' {name}; {READY_AND_WAIT}",
    )
    process.send_signal(getattr(signal, f"SIG{name}"))
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (7, f"{name}\n")


def test_the_terminals_interrupt_comes_once(hubfs):
    """It goes to the whole process group, so passing it on would double it."""
    script = """if True:
        import signal, time
        count = 0
        def note(*_):
            global count
            count += 1
        signal.signal(signal.SIGINT, note)
        print('ready', flush=True)
        while not count:
            time.sleep(0.01)
        time.sleep(0.5)
        print('interrupts:', count, flush=True)
    """
    pid, terminal = pty.fork()
    if pid == 0:
        volume = f"hf://lab/sample:{hubfs.folder / 'mnt1'}"
        os.execvpe(
            mounting.binary(), ["hubfs", "run", "-v", volume, "--", "python3", "-c", script],
            hubfs.environment,
        )
    hubfs.mount_point()
    said = b""
    # A line can come in parts.
    while b"interrupts: " not in said or not said.endswith(b"\n"):
        before = said
        said += os.read(terminal, 1000)
        if b"ready" in said and b"ready" not in before:
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert b"interrupts: 1" in said and os.waitstatus_to_exitcode(status) == 0


def test_stopping_and_going_on_reach_the_command(hubfs):
    process = start(
        hubfs, [f"hf://lab/sample:{hubfs.mount_point()}"], "sh", "-c", READY_AND_WAIT,
        process_group=0,
    )
    command = children(process.pid)["sh"]

    def states() -> str:
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in (process.pid, command)]
        return "".join(text.rpartition(")")[2].split()[0] for text in stats)

    process.send_signal(signal.SIGTSTP)
    program.wait_until(lambda: states() == "TT")
    process.send_signal(signal.SIGCONT)
    program.wait_until(lambda: "T" not in states())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM


def test_what_the_command_leaves_running_does_not_hold_the_volume(hubfs):
    path = hubfs.mount_point()
    done = run(
        hubfs, [f"hf://lab/sample:{path}"], "sh", "-c",
        f"cd {path}; setsid sleep 61.5 >/dev/null 2>&1 & echo $!",
    )
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout)
    try:
        # Its namespace lives on with it, and does not have this mount any more; those of others, which it
        # began with, it may have.
        assert f" {path} " not in Path(f"/proc/{pid}/mountinfo").read_text()
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root")
def test_a_root_that_is_no_mount_point(hubfs):
    """There, mounts cannot be kept private: they would be everybody's."""
    root = hubfs.folder / "root"
    root.mkdir()
    done = hubfs.run_as([
        "unshare", "--mount", "--propagation", "private", "sh", "-ec", f"""
        for name in /*; do
            if test -h $name; then
                cp -a $name {root}/
            elif test -d $name; then
                mkdir {root}$name
                mount --rbind $name {root}$name
            fi
        done
        exec chroot {root} {mounting.binary().resolve()} run -v hf://lab/sample:/mnt -- true
        """,
    ])
    assert done.returncode == program.FUSE_UNAVAILABLE, done.stderr
    assert "no mount point" in done.stderr


def test_a_directory_that_is_missing(hubfs):
    done = run(hubfs, [f"hf://lab/sample:{hubfs.folder}/none"], "echo", "ran")
    assert (done.returncode, done.stdout) == (program.MOUNT_POINT, "")
    assert "mkdir" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--", "true"],
        ["-v", "hf://lab/sample:/mnt"],
        ["-v", "hf://lab/sample:/mnt", "true"],
        ["-v", "hf://lab/sample:/mnt", "--commit-on", "often", "--", "true"],
        ["-v", "hf://lab/sample:/mnt", "-w", "--", "true"],
        ["-v", "hf://lab/sample:/mnt", "-f", "--", "true"],
    ],
)
def test_what_is_not_understood(hubfs, words):
    hubfs.fail(program.USAGE, "run", *words)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_an_ordinary_user_needs_no_setuid_program(editor, git, repo):
    """/dev/fuse is open to them, and fusermount3 is not there."""
    folder = editor.folder / "user"
    folder.mkdir()
    for name in ("data", "model"):
        (folder / name).mkdir()
    for path in (folder, *folder.iterdir()):
        os.chown(path, USER, USER)
    environment = {
        **editor.environment, "HOME": str(folder), "HF_HOME": str(folder / "hf"),
        "HUBFS_CACHE": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state"),
        "XDG_RUNTIME_DIR": str(folder),
    }
    with passable(folder):
        machine = Machine(editor.folder / "machine", "")
        try:
            for name in ("fusermount3", "fusermount"):
                machine.run("mount", "--bind", "/dev/null", f"/usr/bin/{name}")
            done = machine.run_as(
                USER, mounting.binary(), "run", "-v", f"hf://lab/sample:{folder}/model",
                "-v", f"hf://{repo}:{folder}/data:rw", "--", "sh", "-ec",
                f"id -u; cat {folder}/model/config.json; cp {folder}/model/onnx/notes.txt "
                f"{folder}/data/new.txt; stat -c %u {folder}/data/new.txt; cat /proc/self/uid_map",
                env=environment,
            )
            assert str(folder) not in machine.mounts()
        finally:
            machine.close()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(USER) and lines[2] == str(USER)
    assert lines[1] == FILES["config.json"].decode().rstrip()
    assert lines[3].split() == [str(USER), str(USER), "1"]
    assert git.blob("new.txt") == FILES["onnx/notes.txt"]
