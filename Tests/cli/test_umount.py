"""`hubfs umount`: busy, lazy, forced, and of what is no mount."""

from __future__ import annotations

import os
import signal
import subprocess

import program
import pytest
from conftest import FILES


def test_it_returns_when_the_daemon_has_ended(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    hubfs.succeed("umount", path)
    assert not program.is_mounted(path)
    assert program.has_ended(pid)
    assert hubfs.sockets() == []


def test_a_mount_in_use_stays_and_the_user_is_named(hubfs):
    path = hubfs.mount("lab/sample")
    user = subprocess.Popen(["sleep", "60"], cwd=path)
    try:
        message = hubfs.fail(program.BUSY, "umount", path)
        assert f"sleep (pid {user.pid}, working directory)" in message
        assert (path / "config.json").read_bytes() == FILES["config.json"]
    finally:
        user.kill()
        user.wait(timeout=10)
    hubfs.succeed("umount", path)


def test_an_open_file_is_named(hubfs):
    path = hubfs.mount("lab/sample")
    with (path / "config.json").open("rb"):
        message = hubfs.fail(program.BUSY, "umount", path)
    assert f"pid {os.getpid()}" in message and "config.json" in message


def test_lazily_its_users_may_finish(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    with (path / "onnx/model.onnx").open("rb") as file:
        hubfs.succeed("umount", "--lazy", path)
        assert not program.is_mounted(path)
        assert file.read() == FILES["onnx/model.onnx"]
    program.wait_until(lambda: program.has_ended(pid), 15)


def test_by_force_a_daemon_that_hangs_is_cut_off(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGSTOP)
    user = subprocess.Popen(["ls", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        message = hubfs.fail(program.TIMED_OUT, "umount", "--force", path)
        assert "has not ended" in message
        assert not program.is_mounted(path)
        user.communicate(timeout=15)
        assert user.returncode != 0
    finally:
        user.kill()
        os.kill(pid, signal.SIGCONT)
    program.wait_until(lambda: program.has_ended(pid), 15)


def test_a_dead_mount_is_removed_even_in_use(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    file = os.open(path / "config.json", os.O_RDONLY)
    os.kill(pid, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pid))
    hubfs.succeed("umount", path)
    assert not program.is_mounted(path)
    with pytest.raises(OSError):
        os.close(file)


def test_what_is_not_mounted(hubfs):
    message = hubfs.fail(program.MOUNT_POINT, "umount", hubfs.mount_point())
    assert "nothing is mounted" in message


def test_what_is_not_ours(hubfs):
    message = hubfs.fail(program.MOUNT_POINT, "umount", "/proc")
    assert "not hubfs but proc" in message
