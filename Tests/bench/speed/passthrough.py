"""passthrough_ll, libfuse's own example of a file system that hands everything to the disk: what any
program pays for going through FUSE.

Debian ships its source with libfuse3-dev. Images that leave documentation out lack it; then it is
taken from the package file.
"""

from __future__ import annotations

import contextlib
import resource
import shlex
import subprocess
import time
from pathlib import Path

import mounting

EXAMPLES = Path("usr/share/doc/libfuse3-dev/examples")
PACKAGE = "libfuse3-dev"
READY_SECONDS = 10


def build(folder: Path) -> Path:
    """Compiles the program into a folder, with the flags Debian builds releases with."""
    source = Path("/", EXAMPLES) / "passthrough_ll.c"
    if not source.exists():
        source = unpack(folder) / source.name
    program = folder / "passthrough_ll"
    flags = run("pkg-config", "--cflags", "--libs", "fuse3")
    run("cc", "-O2", "-o", program, source, *shlex.split(flags))
    return program


def unpack(folder: Path) -> Path:
    """The examples out of the package file. Returns their folder."""
    run("apt-get", "download", PACKAGE, cwd=folder)
    (package,) = folder.glob(PACKAGE + "_*.deb")
    run("dpkg-deb", "--extract", package, folder / PACKAGE)
    return folder / PACKAGE / EXAMPLES


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def mounted(program: Path, source: Path, place: Path, *, keeps: bool = False):
    """Shows `source` at `place`, with the program's own defaults.

    `keeps`: The kernel keeps what it has read, as it does for who knows that nothing changes.
    """
    options = f"source={source}" + (",cache=always" if keeps else "")
    place.mkdir()
    daemon = subprocess.Popen(
        [program, "-f", "-o", options, place],
        # It keeps a descriptor of each file the kernel knows.
        preexec_fn=raise_descriptor_limit,
        stdin=subprocess.DEVNULL,
        # Debian's version complains of a setting that the example leaves unset.
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_mounted(place):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("passthrough_ll did not come up")
            time.sleep(0.01)
        yield place
    finally:
        mounting.detach(place)
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        place.rmdir()


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def is_mounted(place: Path) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(place) for line in mounts)
