"""Readers of every kind, while commits come."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from following import Branch
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from .generations import files

KINDS = ("listing", "reading", "mapping", "opening")
READER_COUNT = 8
# Nobody waits for the Hub longer than this.
STUCK_SECONDS = 10
FOLDER = Path(__file__).parents[1]


def state_and_waits(pid: int) -> tuple[str, int]:
    """What a process does now, and how often it has waited for something. Source: man 5 proc."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return facts["State"][0], int(facts["voluntary_ctxt_switches"])


class Storm:
    """A commit every second for some time."""

    def __init__(self, branch: Branch):
        self.branch = branch
        self.generation = 0
        self.waits: dict[int, tuple[int, float]] = {}
        self.looks: dict[str, int] = dict.fromkeys(KINDS, 0)

    def blow(self, seconds: float, *, commits: int = 0) -> None:
        """For so long, and until there were so many commits."""
        readers = [self.reader(number) for number in range(READER_COUNT)]
        try:
            end = time.monotonic() + seconds
            while (now := time.monotonic()) < end or self.generation < commits:
                self.commit()
                self.check(readers)
                while time.monotonic() < now + 1:
                    time.sleep(0.1)
                    self.check(readers)
            self.end(readers)
        finally:
            for _, reader in readers:
                reader.kill()
                reader.wait(timeout=30)

    def reader(self, number: int) -> tuple[str, subprocess.Popen]:
        kind = KINDS[number % len(KINDS)]
        return kind, subprocess.Popen(
            [sys.executable, "-m", "follow_storm.reader", self.branch.path, kind, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(FOLDER)},
        )  # fmt: skip

    def commit(self) -> None:
        before, self.generation = files(self.generation), self.generation + 1
        after = files(self.generation)
        operations = [CommitOperationDelete(path) for path in before.keys() - after.keys()]
        operations += [
            CommitOperationAdd(path, data)
            for path, data in after.items()
            if before.get(path) != data
        ]
        published = self.branch.published
        published.api.create_commit(
            published.id, operations, commit_message=f"generation {self.generation}"
        )

    def check(self, readers: list[tuple[str, subprocess.Popen]]) -> None:
        """All are alive, and none waits for something that does not come."""
        for kind, reader in readers:
            if reader.poll() is not None:
                raise AssertionError(f"{kind}: {reader.stderr.read()[-2000:]}")
            state, waits = state_and_waits(reader.pid)
            now = time.monotonic()
            before, since = self.waits.get(reader.pid, (-1, now))
            if state != "D" or waits != before:
                self.waits[reader.pid] = (waits, now)
            elif now - since >= STUCK_SECONDS:
                stack = Path(f"/proc/{reader.pid}/stack").read_text()
                raise AssertionError(f"{kind} does not come back from:\n{stack}")

    def end(self, readers: list[tuple[str, subprocess.Popen]]) -> None:
        for kind, reader in readers:
            output, errors = reader.communicate(timeout=60)
            assert reader.returncode == 0, f"{kind}: {errors[-2000:]}"
            self.looks[kind] += int(output)
