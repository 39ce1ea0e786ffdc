"""The official client with Xet in a process of its own: for what it reads while it is imported, and to have it forget
what it has uploaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import localhub

TIMEOUT_SECONDS = 50


def run(hub: localhub.LocalHub, home: Path, *arguments: object, **environment: str) -> str:
    """Runs a command of `hf`, or what follows `-c` as Python. Returns what it printed."""
    inherited = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_XET"}
    program = Path(sys.executable)
    if arguments[0] != "-c":
        program = program.with_name("hf")
    done = subprocess.run(
        [program, *map(str, arguments)],
        env=inherited
        | {"HF_ENDPOINT": hub.address.endpoint, "HF_HOME": str(home)}
        | ({"HF_TOKEN": hub.write_token} if hub.write_token else {})
        | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
