"""What the kernel and the cache have of a mount's files, and ways to read them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import subprocess
import time
from pathlib import Path

from mounting import Mount, detach
from samples import sha256

SEALING_SECONDS_MAX = 120

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]  # fmt: skip
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def errno_of(operation) -> int | None:
    """What an operation fails with; None when it succeeds."""
    try:
        operation()
    except OSError as error:
        return error.errno
    return None


def cache_file(mount: Mount, data: bytes) -> Path:
    """The file of the cache that holds these bytes of LFS."""
    name = sha256(data)
    return mount.cache / "contents" / name[:2] / name


def is_sealed(mount: Mount, data: bytes) -> bool:
    """Whether the cache calls a content whole, verified and durable (docs/CACHE-FORMAT.md)."""
    sidecar = cache_file(mount, data).with_suffix(".map")
    if not sidecar.exists():
        return False
    with sidecar.open("rb") as file:
        return bool(file.read(32)[24:25] == b"\x01")


def wait_until_sealed(mount: Mount, data: bytes) -> None:
    deadline = time.monotonic() + SEALING_SECONDS_MAX
    while not is_sealed(mount, data):
        assert time.monotonic() < deadline, f"not sealed:\n{mount.log()}"
        time.sleep(0.01)


def kernel(mount: Mount) -> dict:
    """What the daemon tells of its connection to the kernel."""
    done = mount.run("status", "--json", mount.path)
    return json.loads(done.stdout)["mounts"][0]["kernel"]


def requests(mount: Mount, operation: str) -> int:
    """How often the kernel has asked the daemon for this."""
    return kernel(mount)["requests"].get(operation, 0)


def resident_bytes(path: Path) -> int:
    """How much of a file is in the kernel's memory."""
    columns = ["--bytes", "--noheadings", "--output", "RES"]
    done = subprocess.run(["fincore", *columns, path], check=True, capture_output=True, timeout=30)
    return int(done.stdout)


def map_alone(file: int, size: int) -> int:
    """The address of a mapping. Python's own keeps a descriptor of the file as well."""
    address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
    assert address != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    return address


@contextlib.contextmanager
def overlaid(lower: Path, folder: Path):
    """A folder with an empty layer above it, as container engines make them of images."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True, timeout=30)
    try:
        for name in ("upper", "work", "merged"):
            (folder / name).mkdir()
        layers = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        subprocess.run(
            ["mount", "-t", "overlay", "-o", layers, "none", folder / "merged"],
            check=True,
            timeout=30,
        )
        try:
            yield folder / "merged"
        finally:
            detach(folder / "merged")
    finally:
        detach(folder)
