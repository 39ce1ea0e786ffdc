"""mount(8) and umount(8) with hubfs as their helper, in a mount namespace with links of its own in /sbin."""

from __future__ import annotations

import os
import subprocess

import mounting
import program
import pytest
from conftest import FILES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) is for root")


@pytest.fixture
def as_root(hubfs):
    """Runs a script where /sbin has the link mount.hubfs, and nobody else sees it."""
    sbin = hubfs.folder / "sbin"
    sbin.mkdir()
    for program_name in ("mount.fuse3", "mount.fuse"):
        subprocess.run(["cp", "-a", f"/sbin/{program_name}", sbin], check=True, timeout=10)

    def run(script: str, links=("mount.hubfs",)) -> subprocess.CompletedProcess:
        for link in links:
            (sbin / link).symlink_to(mounting.binary())
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]
        return hubfs.run_as([*words, f"mount --bind {sbin} /usr/sbin\n{script}"])

    return run


@pytest.mark.parametrize(
    ("type_name", "links"),
    [
        ("hubfs", ["mount.hubfs"]),
        ("fuse.hubfs", ["mount.fuse.hubfs"]),
        # By way of mount.fuse3, which looks for hubfs in the PATH that mount(8) gives it.
        ("fuse.hubfs", ["hubfs"]),
    ],
)
def test_mount_finds_the_helper(hubfs, as_root, type_name, links):
    path = hubfs.mount_point()
    done = as_root(
        f"""
        mount -t {type_name} -o uid=1234,_netdev hf://lab/sample {path}
        grep ' {path} ' /proc/self/mountinfo
        stat -c %u {path}/config.json
        cat {path}/config.json
        umount {path}
        ! grep -q ' {path} ' /proc/self/mountinfo
        """,
        links,
    )
    assert done.returncode == 0, done.stderr
    assert "fuse.hubfs" in done.stdout and " ro," in done.stdout and "1234\n" in done.stdout
    assert FILES["config.json"].decode() in done.stdout


def test_lines_of_fstab(hubfs, as_root):
    first, second, third = (hubfs.mount_point() for _ in range(3))
    table = hubfs.folder / "fstab"
    table.write_text(
        f"hf://lab/sample {first} hubfs defaults,_netdev 0 0\n"
        f"hf://lab/sample@main/onnx {second} hubfs ro,nofail,umask=077,x-systemd.automount 0 0\n"
        f"hf://lab/sample {third} hubfs noauto 0 0\n"
    )
    done = as_root(
        f"""
        mount -a -T {table}
        ls {first} {second} {third}
        ! touch {first}/new
        mount -T {table} {third}
        cat {third}/config.json
        {mounting.binary()} umount {first} {second} {third}
        ! grep fuse.hubfs.*{hubfs.folder} /proc/self/mountinfo
        """
    )
    assert done.returncode == 0, done.stderr
    assert "config.json" in done.stdout and "model.onnx" in done.stdout
    assert "Read-only" in done.stderr


def test_rw_alone_is_not_writable_and_writable_is(editor, as_root, repo, git):
    """mount(8) puts rw into the options of every mount: it cannot be told from a user's."""
    path = editor.mount_point()
    done = as_root(
        f"""
        mount -t hubfs -o rw hf://{repo} {path}
        ! touch {path}/new.txt
        umount {path}
        mount -t hubfs -o writable hf://{repo} {path}
        echo new > {path}/new.txt
        {mounting.binary()} umount {path}
        """
    )
    assert done.returncode == 0, done.stderr
    assert git.blob("new.txt") == b"new\n"


def test_a_failing_mount_has_hubfs_code_and_sentence(hubfs, as_root):
    done = as_root(f"mount -t hubfs hf://lab/none {hubfs.mount_point()}")
    assert done.returncode == program.NOT_FOUND and "lab/none" in done.stderr


def test_given_to_hubfs_itself_rw_is_writable(editor, repo, git):
    path = editor.mount(repo, "-o", "rw")
    (path / "new.txt").write_text("new\n")
    editor.succeed("umount", path)
    assert git.blob("new.txt") == b"new\n"


@pytest.mark.parametrize("options", [["-w", "-o", "ro"], ["-r", "-o", "rw"], ["-o", "ro,rw"]])
def test_both_at_once_are_refused(editor, repo, options):
    editor.fail(program.USAGE, "mount", repo, editor.mount_point(), *options)
