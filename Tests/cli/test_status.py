"""`hubfs status` and `hubfs log`."""

from __future__ import annotations

import json
import os
import signal
import socket

import program
import pytest
from conftest import FILES


def ask(path, line: str) -> dict:
    """What a daemon answers to a line on its control socket; None if it hangs up."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            peer.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        try:
            peer.sendall(line.encode())
            return json.loads(peer.makefile().readline() or "null")
        except (BrokenPipeError, ConnectionResetError):
            return None


def test_it_tells_what_was_asked_of_the_hub(hub, hubfs):
    path = hubfs.mount("hf://lab/sample@main/onnx")
    fetched = (path / "model.onnx").read_bytes()
    status = hubfs.status(path)
    commit = os.getxattr(path / "model.onnx", "user.hubfs.commit").decode()
    assert status["mountPoint"] == str(path)
    assert status["source"] == "hf://models/lab/sample@main/onnx"
    assert (status["repo"], status["revision"], status["path"]) == (
        "models/lab/sample", "main", "onnx",
    )
    assert status["commit"] == commit
    assert status["state"] == "serving"
    assert status["endpoint"] == hub.address.endpoint
    for kind in ["api", "cdn", "resolve"]:
        assert status["requests"][kind] == hub.requests(kind)
    received = sum(status["bytesReceived"].values())
    assert received >= len(fetched) == len(FILES["onnx/model.onnx"])
    assert status["retries"] == 0 and status["lastError"] is None
    assert status["cache"]["path"] == str(hubfs.cache)
    assert len(fetched) <= status["cache"]["bytes"] < status["cache"]["limitBytes"]


def test_the_last_error_is_told_with_its_time(hub, hubfs):
    path = hubfs.mount("lab/sample", "--read-timeout", 2)
    hub.add_fault("--status", 503, "--class", "resolve")
    with pytest.raises(OSError):
        (path / "weights.safetensors").read_bytes()
    status = hubfs.status(path)
    assert "503" in status["lastError"]["message"]
    assert status["lastError"]["time"].endswith("Z")
    assert status["retries"] > 0
    assert "503" in hubfs.succeed("status", path)


def test_all_mounts_are_listed(hubfs):
    paths = {str(hubfs.mount("lab/sample")) for _ in range(3)}
    listed = {mount["mountPoint"] for mount in hubfs.json("status")["mounts"]}
    # Other tests' mounts on this machine may be listed too.
    assert paths <= listed
    text = hubfs.succeed("status")
    assert all(path in text for path in paths)


def test_a_daemon_that_hangs_does_not_hang_the_command(hubfs):
    hanging, healthy = hubfs.mount("lab/sample"), hubfs.mount("lab/sample")
    pid = hubfs.status(hanging)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "does not answer" in hubfs.fail(program.TIMED_OUT, "status", hanging)
        states = {mount["mountPoint"]: mount["state"] for mount in hubfs.json("status")["mounts"]}
        assert states[str(hanging)] == "hangs"
        assert states[str(healthy)] == "serving"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_daemon_that_died_is_shown_and_its_socket_removed(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    [stale] = hubfs.sockets()
    os.kill(pid, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pid))
    assert stale.exists()
    assert "has died" in hubfs.fail(program.MOUNT_POINT, "status", path)
    assert not stale.exists()


def test_a_check_says_what_does_not_work(hubfs):
    healthy, hanging, dead = (hubfs.mount("lab/sample") for _ in range(3))
    assert hubfs.succeed("status", "--check", healthy) == ""
    pids = {path: hubfs.status(path)["pid"] for path in [hanging, dead]}
    os.kill(pids[dead], signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pids[dead]))
    assert f"{dead}: its daemon has died" in hubfs.fail(
        program.MOUNT_POINT, "status", "--check", dead
    )
    os.kill(pids[hanging], signal.SIGSTOP)
    try:
        said = hubfs.fail(program.TIMED_OUT, "status", "--check")
        assert f"{hanging}: its daemon does not answer" in said
        assert f"{dead}: its daemon has died" in said
        assert str(healthy) not in said
    finally:
        os.kill(pids[hanging], signal.SIGCONT)
    assert hubfs.succeed("status", "--check", hanging) == ""
    hubfs.fail(program.MOUNT_POINT, "status", "--check", hubfs.mount_point())


def test_a_check_asks_the_file_system_too(hubfs):
    path = hubfs.mount("lab/sample")
    before = sizes_asked(hubfs, path)
    assert hubfs.succeed("status", "--check", path) == ""
    assert sizes_asked(hubfs, path) == before + 1


def sizes_asked(hubfs, path) -> int:
    return hubfs.status(path)["kernel"]["requests"].get("statfs", 0)


def test_a_place_without_a_mount(hubfs):
    hubfs.fail(program.MOUNT_POINT, "status", hubfs.mount_point())


def test_the_control_protocol(hubfs):
    path = hubfs.mount("lab/sample")
    [control] = hubfs.sockets()
    assert control.stat().st_mode & 0o777 == 0o600
    assert control.parent.stat().st_mode & 0o777 == 0o700
    assert ask(control, '{"hubfs":1,"ask":"status"}\n')["status"]["mountPoint"] == str(path)
    assert "error" in ask(control, '{"hubfs":2,"ask":"status"}\n')
    assert "error" in ask(control, "what?\n")
    assert ask(control, "x" * 100_000 + "\n") is None
    assert hubfs.status(path)["state"] == "serving"


def test_a_folder_for_sockets_that_others_can_write_is_not_used(hubfs):
    folder = hubfs.runtime / "hubfs"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    path = hubfs.mount_point()
    done = hubfs.run("mount", "lab/sample", path)
    assert done.returncode == 0 and "not a folder of yours alone" in done.stderr
    assert (path / "config.json").exists()
    assert hubfs.sockets() == []


def test_a_log_that_is_full_begins_anew(hubfs):
    log = hubfs.folder / "full.log"
    log.write_bytes(b"x" * 9_999_990)
    path = hubfs.mount("lab/sample", "--log-file", log)
    program.wait_until(lambda: log.with_name("full.log.1").exists())
    assert "notice mounted" in log.with_name("full.log.1").read_text()
    pid = hubfs.status(path)["pid"]
    program.wait_until(lambda: os.readlink(f"/proc/{pid}/fd/2") == str(log))
    hubfs.succeed("umount", path)
    assert "notice unmounted" in log.read_text()
    assert log.stat().st_size < 1000


def test_log_shows_the_end_of_the_log(hubfs):
    path = hubfs.mount("lab/sample", "--log-level", "debug")
    log = hubfs.succeed("log", "--path", path).strip()
    assert log == hubfs.status(path)["log"] == str(hubfs.logs()[0])
    assert os.stat(log).st_mode & 0o777 == 0o600
    assert "notice mounted" in hubfs.succeed("log", path)
    hubfs.succeed("umount", path)
    assert "notice unmounted" in hubfs.succeed("log", "-n", 1, path)
