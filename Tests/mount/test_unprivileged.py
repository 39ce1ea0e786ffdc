"""Who may mount, who may see a mount, and whose its files are.

An ordinary user mounts through fusermount3, root by itself. Both are tried here, which only root can:
other users are played with setpriv, by numbers that nobody has.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import mounting
import pytest

FILES = {"config.json": b"{}\n", "sub/weights.bin": bytes(range(256)) * 400}

USER, OTHER, STRANGER = 61_234, 61_235, 61_236

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


def as_user(user: int, *command: object) -> list[str]:
    """The command as it runs for another user, without any of root's rights."""
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"]
    return ["setpriv", *identity, *map(str, command)]


def run_as(user: int, *command: object) -> subprocess.CompletedProcess:
    return subprocess.run(as_user(user, *command), capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def open_folders(tmp_path):
    """Lets everybody pass through the folders above the test's own, as far as pytest made them."""
    changed = []
    for folder in (tmp_path, *tmp_path.parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            changed.append((folder, mode))
    yield tmp_path
    for folder, mode in changed:
        folder.chmod(mode)


class Machine:
    """A mount namespace set up as a desktop is: everybody may open /dev/fuse, the user has a name,
    and /etc/fuse.conf is the test's. The machine that runs the tests stays as it is."""

    SET_UP = """
        set -e
        mount -t tmpfs -o mode=755 none "$1"
        mknod -m 666 "$1/fuse" c 10 229
        mount --bind "$1/fuse" /dev/fuse
        printf '%s' "$2" > "$1/fuse.conf"
        mount --bind "$1/fuse.conf" /etc/fuse.conf
        { cat /etc/passwd; echo "reader:x:$3:$3::/:/bin/sh"; } > "$1/passwd"
        mount --bind "$1/passwd" /etc/passwd
        echo ready
        exec cat
    """

    def __init__(self, folder: Path, fuse_configuration: str):
        folder.mkdir()
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", self.SET_UP]
        self._holder = subprocess.Popen(
            [*command, "sh", folder, fuse_configuration, str(USER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout.readline() == "ready\n"

    def run(self, *command: object, env: dict | None = None) -> subprocess.CompletedProcess:
        """Runs a program in this namespace, as root."""
        entered = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", *map(str, command)]
        return subprocess.run(entered, capture_output=True, text=True, timeout=60, env=env)

    def run_as(self, user: int, *command: object, env: dict | None = None):
        return self.run(*as_user(user, *command), env=env)

    def mounts(self) -> str:
        return Path(f"/proc/{self._holder.pid}/mountinfo").read_text()

    def close(self) -> None:
        self._holder.communicate(timeout=10)


class UsersMount(mounting.Mount):
    """A mount that an ordinary user makes, in a folder of their own."""

    def __init__(self, machine: Machine, folder: Path, endpoint: str):
        super().__init__(folder, endpoint)
        self.machine = machine
        self.environment["HOME"] = str(folder)
        for path in (folder, *folder.iterdir()):
            os.chown(path, USER, USER)

    def device(self) -> str | None:
        lines = [line.split() for line in self.machine.mounts().splitlines()]
        return next((fields[2] for fields in lines if fields[4] == str(self.path)), None)

    def run(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        done = self.machine.run_as(USER, mounting.binary(), *arguments, env=self.environment)
        assert not check or done.returncode == 0, done.stderr
        return done

    def tear_down(self) -> None:
        mounting.abort(self.device())
        self.machine.run("umount", "--lazy", self.path)


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

