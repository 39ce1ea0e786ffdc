"""Ordinary users on a machine that is set up for them, which only root can play.

They are numbers that nobody has, and act through setpriv.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mounting

USER, OTHER, STRANGER = 61_234, 61_235, 61_236


def as_user(user: int, *command: object) -> list[str]:
    """The command as it runs for another user, without any of root's rights."""
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"]
    return ["setpriv", *identity, *map(str, command)]


def run_as(user: int, *command: object) -> subprocess.CompletedProcess:
    return subprocess.run(as_user(user, *command), capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def passable(folder: Path) -> Iterator[None]:
    """Lets everybody pass through a folder and those above it.

    Temporary ones stay so until they are removed: other tests, in processes beside this one, have come to pass
    through them too.
    """
    temporary = Path(tempfile.gettempdir())
    changed = []
    for each in (folder, *folder.parents):
        mode = stat.S_IMODE(each.stat().st_mode)
        if not mode & stat.S_IXOTH:
            each.chmod(mode | stat.S_IXOTH)
            if not each.is_relative_to(temporary):
                changed.append((each, mode))
    try:
        yield
    finally:
        for each, mode in changed:
            each.chmod(mode)


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

    def outside(self, path: Path) -> Path:
        """A path of this namespace, for programs outside of it."""
        return Path(f"/proc/{self._holder.pid}/root", *path.parts[1:])

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
