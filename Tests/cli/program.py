"""The `hubfs` program as a user at a shell, a script and mount(8) have it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import mounting

COMMAND_TIMEOUT_SECONDS = 60

# docs/ERRORS.md, "Exit codes".
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
ACCESS_REFUSED = 4
UNSENT = 5
HUB_UNAVAILABLE = 6
MOUNT_POINT = 7
BUSY = 8
FUSE_UNAVAILABLE = 9
LOCAL_STORAGE = 10
DAMAGED = 11
TIMED_OUT = 12
CONFLICT = 13
REFUSED = 14
INCOMPLETE = 15


class Program:
    """hubfs with folders of its own: cache, state, sockets and mount points."""

    def __init__(self, folder: Path, endpoint: str):
        self.folder = folder
        self.cache = folder / "cache"
        self.runtime = folder / "run"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(folder / "hf-home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(folder / "state"),
            "HUBFS_CACHE": str(self.cache),
        }
        self.runtime.mkdir(mode=0o700)
        self._mount_points: list[Path] = []
        self._pids: set[int] = set()
        self._numbers = itertools.count(1)

    def mount_point(self) -> Path:
        """A new empty directory that is unmounted at the end of the test."""
        path = self.folder / f"mnt{next(self._numbers)}"
        path.mkdir()
        self._mount_points.append(path)
        return path

    def unmounted_at_the_end(self, path: Path) -> Path:
        """A place where somebody else will mount for this test."""
        self._mount_points.append(path)
        return path

    def run(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        """Runs one command to its end, whatever its exit code."""
        return self.run_as([mounting.binary(), *arguments], **options)

    def run_as(
        self, command: list[object], environment: dict[str, str] | None = None, **options
    ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(word) for word in command],
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            **{"text": True, **options},
        )
        self._note_daemons()
        return done

    def succeed(self, *arguments: object, **options) -> str:
        """Runs one command that must succeed. Returns what it wrote to stdout."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def fail(self, code: int, *arguments: object, **options) -> str:
        """Runs one command that must fail with this exit code. Returns what it wrote to stderr."""
        done = self.run(*arguments, **options)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stderr}"
        assert done.stderr.strip(), "it failed without a word"
        return done.stderr

    def start(self, *arguments: object) -> subprocess.Popen:
        """Starts a command that stays in the foreground."""
        process = subprocess.Popen(
            [mounting.binary(), *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._pids.add(process.pid)
        return process

    def json(self, *arguments: object) -> dict:
        """What a command shows to scripts."""
        return json.loads(self.succeed(*arguments, "--json"))

    def status(self, path: Path) -> dict:
        """The one mount at `path`, as its daemon tells."""
        [mount] = self.json("status", path)["mounts"]
        return mount

    def mount(self, source: str, *options: object) -> Path:
        """Mounts in the background."""
        path = self.mount_point()
        self.succeed("mount", source, path, *options)
        assert is_mounted(path)
        return path

    def sockets(self) -> list[Path]:
        return sorted((self.runtime / "hubfs").glob("*.sock"))

    def logs(self) -> list[Path]:
        return sorted((self.folder / "state/hubfs/log").glob("*.log*"))

    def tear_down(self) -> None:
        """Leaves no mount and no process behind, whatever state they are in."""
        self._note_daemons()
        for path in self._mount_points:
            while (device := device_of(path)) is not None:
                mounting.abort(device)
                mounting.detach(path)
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in self._pids:
            wait_until(lambda pid=pid: has_ended(pid), 10)

    def _note_daemons(self) -> None:
        """Remembers the daemons of this test's mount points by their command lines."""
        for process in Path("/proc").glob("[0-9]*"):
            words = command_line(int(process.name))
            if any(str(path) in words for path in self._mount_points):
                self._pids.add(int(process.name))


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def device_of(path: Path) -> str | None:
    """`major:minor` of the mount at a path, by the mount table alone."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == str(path) and "fuse.hubfs" in fields:
            return fields[2]
    return None


def is_mounted(path: Path) -> bool:
    return device_of(path) is not None


def has_ended(pid: int) -> bool:
    """True for a process that is gone, or dead and not yet waited for by its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def wait_until(condition, timeout: float = 30) -> None:
    """Waits for something that happens soon; the time-out is a watchdog."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
