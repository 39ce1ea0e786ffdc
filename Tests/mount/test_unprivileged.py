"""Who may mount, who may see a mount, and whose its files are.

An ordinary user mounts through fusermount3, root by itself. Both are tried here, which only root can:
other users are played with setpriv, by numbers that nobody has.
"""

from __future__ import annotations

import os
import stat

import pytest
from contents import kernel
from samples import sha256
from users import OTHER, STRANGER, USER, Machine, UsersMount, passable, run_as

FILES = {"config.json": b"{}\n", "sub/weights.bin": bytes(range(256)) * 400}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def open_folders(tmp_path):
    with passable(tmp_path):
        yield tmp_path


@pytest.fixture
def new_users_mount(hub, open_folders):
    made: list[UsersMount] = []

    def make(fuse_configuration: str = "") -> UsersMount:
        number = len(made)
        folder = open_folders / f"user{number}"
        folder.mkdir()
        machine = Machine(open_folders / f"machine{number}", fuse_configuration)
        made.append(UsersMount(machine, folder, hub.address.endpoint))
        return made[-1]

    yield make
    for mount in made:
        mount.tear_down()
        mount.machine.close()


@pytest.fixture
def users_mount(new_users_mount):
    return new_users_mount()


def test_an_ordinary_user_mounts_reads_and_unmounts(users_mount, sample):
    mount, machine = users_mount, users_mount.machine
    mount.run("mount", f"hf://{sample}", mount.path)
    assert mount.is_mounted()
    for path, data in FILES.items():
        copy = mount.folder / "copy"
        assert machine.run_as(USER, "cp", mount.path / path, copy).returncode == 0
        assert copy.read_bytes() == data
    listed = machine.run_as(USER, "stat", "-c", "%u %g %a", mount.path / "config.json")
    assert listed.stdout == f"{USER} {USER} 644\n"
    cached = [mount.cache, *mount.cache.rglob("*")]
    assert len(cached) > 1 and {path.stat().st_uid for path in cached} == {USER}
    mount.run("umount", mount.path)
    assert not mount.is_mounted()


def test_fusermount3_ends_a_users_mount(users_mount, sample):
    users_mount.run("mount", f"hf://{sample}", users_mount.path)
    done = users_mount.machine.run_as(USER, "fusermount3", "-u", users_mount.path)
    assert done.returncode == 0, done.stderr
    assert not users_mount.is_mounted()
    # The daemon has gone too: the same place can be mounted again.
    users_mount.run("mount", f"hf://{sample}", users_mount.path)
    users_mount.run("umount", users_mount.path)


def test_nobody_else_sees_a_users_mount(users_mount, sample):
    users_mount.run("mount", f"hf://{sample}", users_mount.path)
    file = users_mount.path / "config.json"
    machine = users_mount.machine
    for done in (machine.run("cat", file), machine.run_as(OTHER, "cat", file)):
        assert done.returncode != 0 and "Permission denied" in done.stderr
    # And who has not mounted it cannot take it away.
    assert machine.run_as(OTHER, "fusermount3", "-u", users_mount.path).returncode != 0
    assert users_mount.is_mounted()


def test_allow_other_needs_leave_from_fuse_conf(new_users_mount, sample):
    refused = new_users_mount("#user_allow_other\n")
    done = refused.run("mount", f"hf://{sample}", refused.path, "--allow-other", check=False)
    assert done.returncode != 0 and not refused.is_mounted()
    assert "user_allow_other" in done.stderr and "/etc/fuse.conf" in done.stderr

    allowed = new_users_mount("user_allow_other\n")
    allowed.run("mount", f"hf://{sample}", allowed.path, "--allow-other")
    assert allowed.machine.run_as(OTHER, "cat", allowed.path / "config.json").stdout == "{}\n"
    assert allowed.machine.run("cat", allowed.path / "config.json").stdout == "{}\n"


def test_a_user_cannot_mount_where_they_may_not_write(users_mount, sample, open_folders):
    place = open_folders / "roots"
    place.mkdir(mode=0o755)
    done = users_mount.run("mount", f"hf://{sample}", place, check=False)
    assert done.returncode != 0 and str(place) in done.stderr
    assert str(place) not in users_mount.machine.mounts()


def test_root_shows_a_mount_to_everybody(new_mount, open_folders, sample):
    mount = new_mount(f"hf://{sample}", "--allow-other")
    mount.folder.chmod(0o755)
    assert run_as(OTHER, "cat", mount.path / "config.json").stdout == "{}\n"
    walked = run_as(OTHER, "find", mount.path, "-type", "f")
    assert len(walked.stdout.splitlines()) == len(FILES) + 1
    # What others may read, they may still not change.
    assert run_as(OTHER, "touch", mount.path / "new").returncode != 0


def test_root_alone_sees_a_mount_of_root(new_mount, open_folders, sample):
    mount = new_mount(f"hf://{sample}")
    mount.folder.chmod(0o755)
    assert (mount.path / "config.json").read_bytes() == b"{}\n"
    assert run_as(OTHER, "cat", mount.path / "config.json").returncode != 0


def test_owner_and_permissions_can_be_chosen(new_mount, open_folders, sample):
    mount = new_mount(
        f"hf://{sample}", "--allow-other", "--uid", USER, "--gid", OTHER, "--umask", "027"
    )
    mount.folder.chmod(0o755)
    for path, permissions in (("config.json", 0o640), ("sub", 0o750), (".", 0o750)):
        status = os.stat(mount.path / path)
        assert (status.st_uid, status.st_gid) == (USER, OTHER)
        assert stat.S_IMODE(status.st_mode) == permissions
    # The kernel keeps to them: the owner reads, the group reads, others do not.
    assert run_as(USER, "cat", mount.path / "config.json").stdout == "{}\n"
    assert run_as(OTHER, "cat", mount.path / "config.json").stdout == "{}\n"
    assert run_as(STRANGER, "cat", mount.path / "config.json").returncode != 0


def test_a_users_daemon_reads_whole_files_for_the_kernel(users_mount, sample):
    """Passthrough is root's: everybody else is served in the ordinary way, without a word."""
    mount, machine = users_mount, users_mount.machine
    for _ in range(2):
        mount.run("mount", f"hf://{sample}", mount.path)
        read = machine.run_as(USER, "sha256sum", mount.path / "sub/weights.bin")
        assert read.stdout.split()[0] == sha256(FILES["sub/weights.bin"])
        told = kernel(mount)
        assert told["passthrough"] == "off" and told["passthroughOpens"] == 0
        assert told["requests"]["read"] > 0
        mount.run("umount", mount.path)
