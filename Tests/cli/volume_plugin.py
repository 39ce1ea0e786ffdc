"""`hubfs serve docker` as Docker's daemon has it: a process and HTTP over a unix socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import mounting
import program

START_TIMEOUT_SECONDS = 30
# Longer than any answer may take by the plugin's own limits.
CALL_TIMEOUT_SECONDS = 110


class Refused(Exception):
    """The plugin answered with a sentence in `Err`."""


class VolumePlugin:
    """One plugin's folders and, between `start` and its end, its process."""

    def __init__(self, hubfs: program.Program, socket: Path | None = None):
        """Without `socket` it has one in a folder of its own."""
        self.hubfs = hubfs
        # An address of a socket holds 107 bytes, and the folders of tests have long names.
        self._own_folder = None if socket else Path(tempfile.mkdtemp(prefix="plug."))
        self.socket = socket or self._own_folder / "hubfs.sock"
        self.mount_root = hubfs.folder / "volumes"
        self.state = hubfs.folder / "plugin-state"
        self.log = hubfs.folder / "plugin.log"
        self.process: subprocess.Popen | None = None

    def command(self, *options: object) -> list[str]:
        words = ["serve", "docker", "--socket", self.socket, "--state", self.state]
        return [str(w) for w in (mounting.binary(), *words, "--mount-root", self.mount_root, *options)]

    def start(self, *options: object) -> "VolumePlugin":
        """Starts the plugin and waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(*options),
                env=self.hubfs.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        program.wait_until(self._answers, START_TIMEOUT_SECONDS)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.request("/Plugin.Activate")[0] == 200
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def tear_down(self) -> None:
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.socket.unlink(missing_ok=True)
        if self._own_folder:
            self._own_folder.rmdir()

    # Calls.

    def request(
        self, path: str, body: bytes = b"", method: str = "POST"
    ) -> tuple[int, dict]:
        """One request on a connection of its own. Returns the status and the answer."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def call(self, name: str, **members: object) -> dict:
        """One call of the volume driver that must go well."""
        status, answer = self.request(f"/VolumeDriver.{name}", json.dumps(members).encode())
        assert status == 200, answer
        if answer.get("Err"):
            raise Refused(answer["Err"])
        return answer

    def create(self, volume: str, **options: str) -> Path:
        """Creates a volume. Returns where it will be mounted."""
        named = {name.replace("_", "-"): value for name, value in options.items()}
        self.call("Create", Name=volume, Opts=named)
        return self.hubfs.unmounted_at_the_end(self.mount_root / volume)

    def mount(self, volume: str, container: str) -> Path:
        return Path(self.call("Mount", Name=volume, ID=container)["Mountpoint"])

    def unmount(self, volume: str, container: str) -> None:
        self.call("Unmount", Name=volume, ID=container)

    def status(self, volume: str) -> dict:
        return self.call("Get", Name=volume)["Volume"]["Status"]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path):
        super().__init__("localhost", timeout=CALL_TIMEOUT_SECONDS)
        self._path = os.fspath(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
