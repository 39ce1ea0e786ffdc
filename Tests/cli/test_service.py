"""`hubfs mount -f` as a service of systemd: what it tells on the notify socket, and the unit files."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import localhub
import mounting
import program
import pytest

UNITS = localhub.REPOSITORY / "packaging/systemd"


class Manager:
    """The end of the notify socket that systemd has."""

    def __init__(self, name: str | bytes):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(30)
        self.heard: list[str] = []

    def wait_for(self, assignment: str) -> str:
        """The message that has this assignment, or one that begins so."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if any(line.startswith(assignment) for line in message.split("\n")):
                return message
        raise AssertionError(f"{assignment} was not heard, but {self.heard}")

    def drain(self) -> list[str]:
        self.socket.setblocking(False)
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.heard


@pytest.fixture
def manager(hubfs):
    path = hubfs.folder / "notify"
    manager = Manager(str(path))
    hubfs.environment["NOTIFY_SOCKET"] = str(path)
    yield manager
    manager.socket.close()


def test_it_tells_that_it_works_and_that_it_ends(hubfs, manager):
    path = hubfs.mount_point()
    process = hubfs.start("mount", "-f", "lab/sample", path)
    ready = manager.wait_for("READY=1")
    assert program.is_mounted(path)
    assert f"STATUS=serving hf://models/lab/sample at {path}" in ready
    process.terminate()
    manager.wait_for("STOPPING=1")
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert not any("WATCHDOG" in message for message in manager.drain())


def test_the_whole_hub_tells_the_same(hubfs, manager):
    path = hubfs.mount_point()
    process = hubfs.start("mount", "-f", "hf://", path)
    assert f"STATUS=serving hf:// at {path}" in manager.wait_for("READY=1")
    process.terminate()
    manager.wait_for("STOPPING=1")
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_an_abstract_socket_is_found(hubfs):
    name = f"hubfs-test-{os.getpid()}"
    manager = Manager(b"\0" + name.encode())
    hubfs.environment["NOTIFY_SOCKET"] = f"@{name}"
    process = hubfs.start("mount", "-f", "lab/sample", hubfs.mount_point())
    manager.wait_for("READY=1")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_watchdog_hears_from_it_until_it_hangs(hubfs, manager):
    hubfs.environment["WATCHDOG_USEC"] = "400000"
    path = hubfs.mount_point()
    process = hubfs.start("mount", "-f", "lab/sample", path)
    manager.wait_for("READY=1")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    process.send_signal(signal.SIGSTOP)
    manager.drain()
    manager.heard.clear()
    time.sleep(0.6)
    assert manager.drain() == []
    process.send_signal(signal.SIGCONT)
    manager.socket.settimeout(30)
    manager.wait_for("WATCHDOG=1")
    process.terminate()
    process.communicate(timeout=30)


def test_a_watchdog_of_another_process_is_not_ours(hubfs, manager):
    hubfs.environment |= {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}
    process = hubfs.start("mount", "-f", "lab/sample", hubfs.mount_point())
    manager.wait_for("READY=1")
    time.sleep(0.5)
    process.terminate()
    manager.wait_for("STOPPING=1")
    process.communicate(timeout=30)
    assert not any("WATCHDOG" in message for message in manager.drain())


def test_a_commit_at_the_end_asks_for_time(hub, editor, manager, repo, git):
    path = editor.mount_point()
    process = editor.start("mount", "-f", "-w", repo, path)
    manager.wait_for("READY=1")
    (path / "new.txt").write_text("new\n")
    hub.add_fault("--delay", "3s", "--class", "api", "--count", 1)
    process.terminate()
    manager.wait_for("STOPPING=1")
    message = manager.wait_for("EXTEND_TIMEOUT_USEC=")
    assert "STATUS=committing: " in message
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert git.blob("new.txt") == b"new\n"


def test_a_start_that_fails_says_nothing(hubfs, manager):
    process = hubfs.start("mount", "-f", "lab/none", hubfs.mount_point())
    process.communicate(timeout=30)
    assert process.returncode == program.NOT_FOUND
    assert manager.drain() == []


def test_the_units_are_what_systemd_takes(tmp_path):
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not here")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/bin/hubfs", str(mounting.binary()))
        (tmp_path / unit.name.replace("@.", "@mnt-x.")).write_text(text)
    units = [str(path) for path in sorted(tmp_path.iterdir()) if path.is_file()]
    assert len(units) == 4
    done = subprocess.run(
        [verifier, "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_stop_time_is_longer_than_the_daemons():
    lines = (UNITS / "hubfs@.service").read_text().splitlines()
    [seconds] = [line.partition("=")[2] for line in lines if line.startswith("TimeoutStopSec=")]
    assert int(seconds) > 60
    assert Path(UNITS / "mnt-gpt2.mount").read_text().count("Where=/mnt/gpt2\n") == 1
