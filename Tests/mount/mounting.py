"""The `hubfs` program with a real kernel mount, as a user has it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from localhub import REPOSITORY

READY_TIMEOUT_SECONDS = 60
END_TIMEOUT_SECONDS = 15


def binary() -> Path:
    """The program under test: $HUBFS_BIN, else this tree's debug build."""
    return Path(os.environ.get("HUBFS_BIN", REPOSITORY / ".build/debug/hubfs"))


class Mount:
    """One `hubfs mount -f` and the directory it serves."""

    def __init__(
        self, folder: Path, endpoint: str, cache: Path | None = None, token: str | None = None
    ):
        self.folder = folder
        self.path = folder / "mnt"
        self.cache = cache or folder / "cache"
        self.log_path = folder / "hubfs.log"
        self.path.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(folder / "hf-home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_STATE_HOME": str(folder / "state"),
            "HUBFS_CACHE": str(self.cache),
        }
        if token:
            self.environment["HF_TOKEN"] = token
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        self.process: subprocess.Popen | None = None

    def start(self, source: str, *options: object) -> "Mount":
        """Mounts `source` and waits until the kernel shows it and its commands find it."""
        self.source, self.options = source, options
        # The clock of files lags behind by a tick.
        began = time.time() - 0.1
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [binary(), "mount", "-f", source, self.path, *map(str, options)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self.is_mounted() or not self.has_socket(began):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the mount did not come up:\n{self.log()}")
            time.sleep(0.01)
        return self

    def has_socket(self, since: float) -> bool:
        """Whether there is a control socket, and not that of a daemon before."""
        for socket in Path(self.environment["XDG_RUNTIME_DIR"], "hubfs").glob("*.sock"):
            with contextlib.suppress(FileNotFoundError):
                if socket.stat().st_mtime >= since:
                    return True
        return False

    def is_mounted(self) -> bool:
        """Looks at the mount table only: never waits for the daemon."""
        return self.device() is not None

    def device(self) -> str | None:
        """`major:minor` of the mount, None when there is none."""
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[4] == str(self.path) and "fuse.hubfs" in fields:
                return fields[2]
        return None

    def run(
        self,
        *arguments: object,
        check: bool = True,
        timeout: float = 60,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess:
        """Runs one `hubfs` command in this mount's environment."""
        done = subprocess.run(
            [binary(), *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
        return done

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text: str) -> None:
        """What a daemon says can come after the kernel shows its mount."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while text not in self.log():
            assert time.monotonic() < deadline, f"{text!r} is not in:\n{self.log()}"
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = END_TIMEOUT_SECONDS) -> int:
        """The daemon's exit status; fails when it does not end in time."""
        return self.process.wait(timeout=timeout)

    def restart(self) -> "Mount":
        """Mounts again what was mounted before, in the same way."""
        return self.start(self.source, *self.options)

    def unmount(self) -> int:
        """Ends the mount the ordinary way."""
        subprocess.run(["umount", self.path], check=True, timeout=30)
        return self.wait()

    def kill(self) -> None:
        """Ends the daemon as a crash would and takes the dead mount away."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        detach(self.path)

    def drop_page_cache(self) -> None:
        """Makes the kernel forget what it has read from anywhere: a test that does so runs alone."""
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            raise RuntimeError(f"in {worker}, beside tests that count on the kernel's memory: mark it `alone`")
        Path("/proc/sys/vm/drop_caches").write_text("3")

    def peak_memory_bytes(self) -> int:
        """The daemon's peak resident size so far."""
        return self._memory_bytes("VmHWM")

    def file_memory_bytes(self) -> int:
        """What of the daemon's resident size are pages of files now: of its program, as a rule."""
        return self._memory_bytes("RssFile")

    def _memory_bytes(self, field: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {field}")

    def tear_down(self) -> None:
        """Leaves nothing behind, whatever state the daemon is in."""
        abort(self.device())
        detach(self.path)
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)


def leave_mounts_of_others() -> None:
    """Gives this process, and those it starts, mounts of its own.

    A new namespace of mounts has copies of all the old one has, and a mount ends with its last copy:
    tests beside each other would keep each other's daemons alive. Sources: man 2 unshare, man 2 mount.
    """
    newns, recursive, private = 0x20000, 0x4000, 0x40000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(newns) or libc.mount(None, b"/", None, recursive | private, None):
        raise OSError(ctypes.get_errno(), "a namespace of mounts")


def detach(path: Path) -> None:
    """Takes a mount out of the tree without asking its daemon (MNT_DETACH)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.umount2(str(path).encode(), 2)


def abort(device: str | None) -> None:
    """Cuts the connection of a mount, so that nobody waits for its daemon any more."""
    control = Path("/sys/fs/fuse/connections")
    if device is None:
        return
    if not any(control.iterdir()):
        subprocess.run(["mount", "-t", "fusectl", "none", control], check=False, timeout=10)
    switch = control / device.split(":")[1] / "abort"
    if switch.exists():
        switch.write_text("1")
