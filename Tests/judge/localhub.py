"""The `localhub` program as the judges see it: a process, its command line, and a folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

START_TIMEOUT_SECONDS = 30
COMMAND_TIMEOUT_SECONDS = 180

# Small enough that the samples need several parts, the last of them shorter.
MULTIPART_THRESHOLD_BYTES = 8 << 20
PART_BYTES = 3_000_000


def binary() -> Path:
    """The program under judgement: $LOCALHUB_BIN, else this tree's debug build."""
    return Path(os.environ.get("LOCALHUB_BIN", REPOSITORY / ".build/debug/localhub"))


@dataclass(frozen=True)
class Address:
    """Where a running server listens: the Hub itself, and the host that hands out large files."""

    endpoint: str
    cdn: str
    pid: int


class LocalHub:
    """One Hub in a folder. `start` and `stop` may follow each other any number of times."""

    def __init__(
        self, root: Path, *, multipart_threshold: int = MULTIPART_THRESHOLD_BYTES,
        part_size: int = PART_BYTES,
    ):  # fmt: skip
        self.root = root
        self.multipart_threshold = multipart_threshold
        self.part_size = part_size
        # More of `localhub serve`, from the next start on.
        self.serve_options: list[str] = []
        self.address: Address | None = None
        # One that whoever uses this Hub shares.
        self.write_token: str | None = None
        self._process: subprocess.Popen | None = None
        self._log = root.with_name(root.name + ".log")

    def start(self) -> Address:
        """Starts the server and waits until it has written its ready file."""
        ready = self.root.with_name(self.root.name + ".ready")
        ready.unlink(missing_ok=True)
        # A Hub that comes back has the address it had.
        place = self.address.endpoint.removeprefix("http://") if self.address else "127.0.0.1:0"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    binary(),
                    "serve",
                    "--root",
                    self.root,
                    "--listen",
                    place,
                    "--cdn-listen",
                    "localhost:0",
                    "--multipart-threshold",
                    str(self.multipart_threshold),
                    "--part-size",
                    str(self.part_size),
                    "--ready-file",
                    ready,
                    *self.serve_options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"localhub did not start:\n{self.log()}")
            time.sleep(0.02)
        self.address = Address(**json.loads(ready.read_text()))
        return self.address

    def stop(self) -> int | None:
        """Ends the server as a service manager would. Returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"localhub did not end on SIGTERM:\n{self.log()}") from None

    def log(self) -> str:
        """What the server has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def run(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        """Runs one `localhub` command."""
        command = [str(binary()), *map(str, arguments)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise RuntimeError(
                f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def create_token(self, name: str, role: str, *, namespaces: str | None = None) -> str:
        """A new token of this Hub; without `namespaces` it has rights in all of them."""
        limit = ["--namespaces", namespaces] if namespaces else []
        done = self.run(
            "token", "create", "--root", self.root, "--name", name, "--role", role, *limit
        )
        match = re.search(r"\bhf_\w+", done.stdout)
        assert match, f"no token in {done.stdout!r}"
        return match.group()

    def delete_token(self, name: str) -> None:
        """From now on the token of this name is worth nothing."""
        self.run("token", "delete", "--root", self.root, "--name", name)

    # Counters and faults of the running server.

    def stats(self) -> dict:
        """All counters; see docs/LOCALHUB.md for their names."""
        return json.loads(self._ask("GET", "stats"))

    def reset_stats(self) -> None:
        """Sets every counter to zero."""
        self._ask("DELETE", "stats")

    def bytes_sent(self, *classes: str) -> int:
        """Bytes of bodies sent since the reset, in these classes of traffic or in all."""
        return self._sum("bytesSent", classes)

    def bytes_received(self, *classes: str) -> int:
        """Bytes of bodies received since the reset, in these classes of traffic or in all."""
        return self._sum("bytesReceived", classes)

    def requests(self, *classes: str) -> int:
        """Requests since the reset, in these classes of traffic or in all."""
        return self._sum("requests", classes)

    def asked(self) -> dict[str, int]:
        """Requests since the reset, by the endpoint they were for; without the one question that a
        daemon asks at a moment of its own, for the size of what is mounted."""
        return {name: n for name, n in self.stats()["endpoints"].items() if name != "treesize"}

    def _sum(self, field: str, classes: tuple[str, ...]) -> int:
        tallies = self.stats()["classes"]
        return sum(tallies[name][field] for name in classes or tallies)

    def add_fault(self, *options: object) -> None:
        """Makes something go wrong from the next request on."""
        self.run("fault", "add", "--root", self.root, *options)

    def faults(self) -> list[dict]:
        """The faults that stand, in their order, with how often each has fired."""
        return json.loads(self._ask("GET", "faults"))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._ask("DELETE", "faults")

    def _ask(self, method: str, what: str) -> bytes:
        """One request to the admin API, which is much quicker than a command."""
        request = urllib.request.Request(
            f"{self.address.endpoint}/_localhub/{what}", method=method
        )
        with urllib.request.urlopen(request, timeout=COMMAND_TIMEOUT_SECONDS) as answer:
            return answer.read()
