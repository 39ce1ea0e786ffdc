"""Runs of `hubfs run`, and what they have started."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mounting

# Says that it runs, and goes on until it is told to end.
READY_AND_WAIT = "echo ready; while :; do sleep 0.05; done"


def run(hubfs, volumes, *command, options=(), **how) -> subprocess.CompletedProcess:
    words = [word for volume in volumes for word in ("-v", volume)]
    return hubfs.run("run", *words, *options, "--", *command, **how)


def start(hubfs, volumes, *command, options=(), **how) -> subprocess.Popen:
    """A run whose command has said that it runs."""
    words = [word for volume in volumes for word in ("-v", volume)]
    process = subprocess.Popen(
        [mounting.binary(), "run", *words, *map(str, options), "--", *map(str, command)],
        env=hubfs.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def children(pid: int) -> dict[str, int]:
    """The processes that a run has started: its daemons and its command."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}/comm").read_text().strip(): int(child) for child in pids}


def workspaces(hubfs) -> list[dict]:
    return hubfs.json("recover")["workspaces"]
