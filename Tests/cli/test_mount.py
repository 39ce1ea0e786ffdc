"""`hubfs mount`: in the background, in the foreground, its signals, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import mounting
import program
import pytest
from conftest import FILES


def test_it_returns_when_the_mount_works(hubfs):
    path = hubfs.mount_point()
    done = hubfs.run("mount", "hf://lab/sample", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    assert (path / "weights.safetensors").read_bytes() == FILES["weights.safetensors"]
    hubfs.succeed("umount", path)
    assert not program.is_mounted(path)


def test_a_folder_of_a_repo_can_be_mounted(hubfs):
    path = hubfs.mount("hf://lab/sample@main/onnx")
    assert sorted(os.listdir(path)) == ["model.onnx", "notes.txt"]


def test_the_daemon_keeps_nothing_of_its_starter(hubfs):
    path = hubfs.mount_point()
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        hubfs.succeed("mount", "lab/sample", path, pass_fds=[writer])
    finally:
        os.close(writer)
    # The pipe would stay open if the daemon had inherited it.
    with os.fdopen(reader, "rb") as end:
        assert end.read() == b""
    pid = hubfs.status(path)["pid"]
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/fd/2") == str(hubfs.logs()[0])
    assert Path(f"/proc/{pid}/comm").read_text() == "hubfs\n"


def test_relative_paths_hold(hubfs):
    path = hubfs.mount_point()
    hubfs.succeed(
        "mount", "lab/sample", path.name, "--cache-dir", "other", "--log-file", "a.log",
        cwd=hubfs.folder,
    )
    assert hubfs.status(path)["cache"]["path"] == str(hubfs.folder / "other")
    assert (hubfs.folder / "other/contents").is_dir()
    assert "mounted" in (hubfs.folder / "a.log").read_text()


def test_relative_paths_of_the_environment_hold(hubfs, token):
    (hubfs.folder / "token").write_text(token)
    path = hubfs.mount_point()
    environment = {"HUBFS_CACHE": "other", "HF_TOKEN_PATH": "token", "XDG_STATE_HOME": "here"}
    hubfs.succeed("mount", "lab/secret", path, cwd=hubfs.folder, environment=environment)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    status = hubfs.status(path)
    assert status["cache"]["path"] == str(hubfs.folder / "other")
    assert status["log"].startswith(str(hubfs.folder / "here/hubfs/log/"))


def test_owner_and_permissions_are_as_asked(hubfs):
    path = hubfs.mount("lab/sample", "--uid", 1234, "--gid", 2345, "--umask", "077")
    status = os.stat(path / "config.json")
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o600)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_foreground_mount(hubfs, number):
    path = hubfs.mount_point()
    process = hubfs.start("mount", "-f", "lab/sample", path)
    program.wait_until(lambda: program.is_mounted(path))
    assert os.listdir(path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert not program.is_mounted(path)
    assert "notice mounted" in errors and "notice unmounted" in errors


def test_sigterm_ends_a_background_mount_with_a_stalled_reader(hub, hubfs):
    path = hubfs.mount("lab/sample")
    assert os.listdir(path)
    pid = hubfs.status(path)["pid"]
    hub.add_fault("--stall", "--class", "cdn")
    reader = subprocess.Popen(
        ["cat", path / "weights.safetensors"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    program.wait_until(lambda: hub.requests("cdn") > 0)
    os.kill(pid, signal.SIGTERM)
    program.wait_until(lambda: program.has_ended(pid), 15)
    assert not program.is_mounted(path)
    _, errors = reader.communicate(timeout=15)
    assert reader.returncode == 1 and b"weights.safetensors" in errors
    assert hubfs.sockets() == []


def test_sighup_does_not_end_a_background_mount(hubfs):
    path = hubfs.mount("lab/sample")
    os.kill(hubfs.status(path)["pid"], signal.SIGHUP)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    assert hubfs.status(path)["state"] == "serving"


def test_a_start_that_is_interrupted_leaves_nothing(hub, hubfs):
    hub.add_fault("--stall", "--class", "api")
    path = hubfs.mount_point()
    process = hubfs.start("mount", "lab/sample", path)
    program.wait_until(lambda: hub.requests("api") > 0)
    daemons = [pid for pid in all_pids() if str(path) in program.command_line(pid)]
    assert len(daemons) == 2
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    for pid in daemons:
        program.wait_until(lambda pid=pid: program.has_ended(pid), 15)
    assert not program.is_mounted(path)


def test_a_mount_of_a_daemon_that_died_is_replaced(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(pid))
    with pytest.raises(OSError):
        os.listdir(path)
    hubfs.succeed("mount", "lab/sample", path)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    assert hubfs.status(path)["pid"] != pid
    hubfs.succeed("umount", path)
    assert not program.is_mounted(path)


def test_what_is_cached_mounts_without_a_network(hubfs):
    path = hubfs.mount("lab/sample")
    (path / "config.json").read_bytes()
    hubfs.succeed("umount", path)
    done = hubfs.run("mount", "lab/sample", path, environment={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    assert "as it was last seen" in done.stderr
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_an_ordinary_user_mounts_through_fusermount3(hubfs):
    """As user nobody, in namespaces where /dev/fuse is what it is on most machines."""
    script = f"""
        set -e
        mount -t tmpfs none /mnt
        mknod /mnt/fuse c 10 229 && chmod 666 /mnt/fuse && mount --bind /mnt/fuse /dev/fuse
        touch /mnt/hubfs && mount --bind {mounting.binary()} /mnt/hubfs
        mkdir /mnt/home && chown 65534:65534 /mnt/home && cd /mnt/home
        exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -ec '
            mkdir repo
            /mnt/hubfs mount lab/sample repo
            cat repo/config.json
            /mnt/hubfs status repo
            /mnt/hubfs umount repo
            ! grep -q "$PWD/repo" /proc/self/mountinfo
            ! /mnt/hubfs mount lab/sample repo --allow-other
        '
    """
    home = Path("/mnt/home")
    environment = {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HUBFS_CACHE": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home),
    }
    # What is left in the namespace ends with its first process.
    namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc"]
    done = hubfs.run_as(
        ["unshare", "--kill-child", *namespaces, "sh", "-c", script], environment
    )
    assert done.returncode == 0, done.stderr
    assert FILES["config.json"].decode() in done.stdout
    assert "hf://models/lab/sample at main" in done.stdout
    assert "user_allow_other" in done.stderr


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
