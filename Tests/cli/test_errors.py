"""What can be wrong when a mount starts: each has its exit code and says what to do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess

import program
import pytest


def refused(hubfs, code: int, *arguments: object, **options) -> str:
    """A mount that must not come up. Returns the message."""
    path = hubfs.mount_point()
    message = hubfs.fail(code, "mount", arguments[0], path, *arguments[1:], **options)
    assert not program.is_mounted(path)
    assert "Fatal error" not in message
    return message


def test_missing_directory(hubfs):
    path = hubfs.folder / "absent"
    message = hubfs.fail(program.MOUNT_POINT, "mount", "lab/sample", path)
    assert f"{path} does not exist" in message and "mkdir" in message


def test_not_a_directory(hubfs):
    path = hubfs.folder / "file"
    path.touch()
    message = hubfs.fail(program.MOUNT_POINT, "mount", "lab/sample", path)
    assert f"{path} is not a directory" in message


def test_a_directory_that_is_not_empty_is_fine(hubfs):
    path = hubfs.mount_point()
    (path / "below").touch()
    hubfs.succeed("mount", "lab/sample", path)
    assert not (path / "below").exists()
    hubfs.succeed("umount", path)
    assert (path / "below").exists()


def test_mounted_already(hubfs):
    path = hubfs.mount("lab/sample")
    message = hubfs.fail(program.MOUNT_POINT, "mount", "lab/sample", path)
    assert "already" in message and "hubfs umount" in message
    assert (path / "config.json").exists()


def test_mounted_already_by_a_daemon_that_hangs(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        message = hubfs.fail(program.MOUNT_POINT, "mount", "lab/sample", path)
        assert "does not answer" in message and f"hubfs umount --force {path}" in message
    finally:
        os.kill(pid, signal.SIGCONT)


def test_unknown_repo_speaks_of_the_token_that_is_missing(hubfs):
    message = refused(hubfs, program.NOT_FOUND, "lab/absent")
    assert "no such repo" in message and "HF_TOKEN" in message


def test_private_repo(hubfs, token):
    assert "HF_TOKEN" in refused(hubfs, program.NOT_FOUND, "lab/secret")
    path = hubfs.mount_point()
    hubfs.succeed("mount", "lab/secret", path, environment={"HF_TOKEN": token})
    assert (path / "config.json").exists()


def test_gated_repo(hubfs):
    """The Hub shows everybody what is in it, and the bytes to those who were let in."""
    path = hubfs.mount("lab/gated")
    assert (path / "config.json").stat().st_size > 0
    with pytest.raises(PermissionError):
        (path / "config.json").read_bytes()
    assert "gated" in hubfs.status(path)["lastError"]["message"]


def test_bad_token(hubfs):
    message = refused(
        hubfs, program.ACCESS_REFUSED, "lab/sample", environment={"HF_TOKEN": "hf_wrong"}
    )
    assert "does not accept the token" in message and "hf_wrong" not in message


def test_empty_token_file(hubfs):
    empty = hubfs.folder / "token"
    empty.touch()
    message = refused(hubfs, program.ACCESS_REFUSED, "lab/sample", "--token-file", empty)
    assert str(empty) in message


def test_unknown_revision(hubfs):
    assert "no such branch" in refused(hubfs, program.NOT_FOUND, "lab/sample@absent")


def test_unknown_path(hubfs):
    assert "no such path" in refused(hubfs, program.NOT_FOUND, "lab/sample/onnx/absent")


def test_path_of_a_file(hubfs):
    message = refused(hubfs, program.NOT_FOUND, "lab/sample/config.json")
    assert "config.json is a file" in message and "hubfs cat" in message


@pytest.mark.parametrize("source", ["a b", "ftp://lab/sample", "datasets/", "lab/.."])
def test_source_that_names_no_repo(hubfs, source):
    refused(hubfs, program.USAGE, source)


def test_no_network(hubfs):
    message = refused(
        hubfs, program.HUB_UNAVAILABLE, "lab/other", "--read-timeout", 2,
        "--endpoint", "http://127.0.0.1:9",
    )
    assert "cannot be reached" in message and "HF_ENDPOINT" in message


def test_hub_that_stalls(hub, hubfs):
    hub.add_fault("--stall", "--class", "api")
    refused(hubfs, program.HUB_UNAVAILABLE, "lab/sample", "--read-timeout", 2)


def test_offline_and_never_seen(hubfs):
    message = refused(
        hubfs, program.HUB_UNAVAILABLE, "lab/sample", environment={"HF_HUB_OFFLINE": "1"}
    )
    assert "HF_HUB_OFFLINE" in message


def test_cache_that_cannot_be_written(hubfs):
    blocked = hubfs.folder / "blocked"
    blocked.touch()
    message = refused(
        hubfs, program.LOCAL_STORAGE, "lab/sample", "--cache-dir", blocked / "cache"
    )
    assert str(blocked) in message and "--cache-dir" in message


def test_cache_below_a_mount_of_ours_is_refused(hubfs):
    """A FUSE file system stands for every one on which locks and mappings do not hold."""
    path = hubfs.mount("lab/sample")
    message = refused(hubfs, program.LOCAL_STORAGE, "lab/sample", "--cache-dir", path)
    assert str(path) in message


def test_cache_on_a_disk_that_is_full(hubfs):
    disk = hubfs.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True, timeout=10)
    try:
        with pytest.raises(OSError) as full, (disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert full.value.errno == errno.ENOSPC
        message = refused(hubfs, program.LOCAL_STORAGE, "lab/sample", "--cache-dir", disk / "cache")
        assert "full" in message
    finally:
        subprocess.run(["umount", "-l", disk], check=True, timeout=10)


def test_log_file_that_cannot_be_written(hubfs):
    message = refused(hubfs, program.LOCAL_STORAGE, "lab/sample", "--log-file", hubfs.folder)
    assert "--log-file" in message


def test_no_fuse_device(hubfs):
    """In a mount namespace where /dev is empty."""
    path = hubfs.mount_point()
    script = 'mount -t tmpfs none /dev && exec "$@"'
    done = hubfs.run_as(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
         program.mounting.binary(), "mount", "-f", "lab/sample", path]
    )
    assert done.returncode == program.FUSE_UNAVAILABLE, done.stderr
    assert "/dev/fuse does not exist" in done.stderr and "modprobe fuse" in done.stderr
