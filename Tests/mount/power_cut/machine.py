"""A machine with a disk that loses what was not synced when its power goes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import mounting
from localhub import REPOSITORY

BOOT_ID = "/proc/sys/kernel/random/boot_id"
READY_TIMEOUT_SECONDS = 20
MS_BIND = 0x1000  # Source: linux/mount.h.
LIBC = ctypes.CDLL(None, use_errno=True)


def binary() -> Path:
    """The disk's program: $POWERCUT_BIN, else this tree's debug build."""
    return Path(os.environ.get("POWERCUT_BIN", REPOSITORY / ".build/debug/powercut"))


class Machine:
    """One machine, from boot to boot. `disk` is where its disk is mounted while it runs."""

    def __init__(self, folder: Path, boot_id: Path):
        self.folder = folder
        self.disk = folder / "disk"
        self.boot_id = boot_id
        self.boots = 0
        self.process: subprocess.Popen | None = None
        self.disk.mkdir(parents=True)
        self.image(0).mkdir()

    def image(self, number: int) -> Path:
        """What was on the disk before the boot of this number + 1."""
        return self.folder / f"image-{number}"

    def boot(self, seed: int) -> None:
        """Starts the disk with what the last run left. The seed decides what a cut leaves."""
        self.boot_id.write_text(f"{uuid.UUID(int=seed << 16 | self.boots + 1)}\n")
        after = self.image(self.boots + 1)
        after.mkdir()
        self.process = subprocess.Popen(
            [binary(), self.image(self.boots), after, self.disk, "--seed", str(seed)],
            stdin=subprocess.DEVNULL,
        )
        self.boots += 1
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not os.path.ismount(self.disk):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the disk did not come up")
            time.sleep(0.002)

    def cut_after(self, changes: int | None) -> None:
        """Lets the power go in place of the change or sync after so many; None: it stays."""
        value = b"" if changes is None else str(changes).encode()
        os.setxattr(self.disk, "user.powercut.changes", value)

    def has_power(self) -> bool:
        try:
            os.listdir(self.disk)
        except OSError:
            return False
        # Without it, the listing was of the folder below.
        return os.path.ismount(self.disk)

    def cut(self) -> None:
        """Cuts the power, if it has not gone already."""
        self.end(signal.SIGUSR1)

    def shut_down(self) -> None:
        """Ends the machine in order: everything reaches the disk."""
        self.end(signal.SIGTERM)

    def end(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=READY_TIMEOUT_SECONDS)
        mounting.detach(self.disk)
        if status != 0:
            raise RuntimeError(f"the disk ended with {status}")

    def tear_down(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)
        mounting.detach(self.disk)


def own_boot_id(folder: Path) -> Path:
    """Gives this process, and those it starts, a boot id of its own. Returns the file it is in."""
    mounting.leave_mounts_of_others()
    path = folder / "boot-id"
    path.write_text(f"{uuid.uuid4()}\n")
    check(LIBC.mount(os.fsencode(path), BOOT_ID.encode(), None, MS_BIND, None), "mount")
    return path


def check(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), call)


def local_disk(folder: Path) -> Path:
    """Builds what lets hubfs keep its state on a test's disk, see local_disk.c."""
    library = folder / "local_disk.so"
    source = Path(__file__).with_name("local_disk.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True, timeout=60
    )
    return library


class EditedMount(mounting.Mount):
    """A `hubfs mount -w` of that machine."""

    def __init__(self, folder: Path, endpoint: str, token: str, machine: Machine, library: Path):
        super().__init__(folder, endpoint, token=token)
        self.machine = machine
        self.environment["XDG_STATE_HOME"] = str(machine.disk)
        self.environment["LD_PRELOAD"] = str(library)
