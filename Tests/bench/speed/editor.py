"""Changes a file in its place, or writes a checkpoint, and prints the seconds it took.

usage: python -m speed.editor overwritten|inserted|deleted FILE OFFSET COUNT SEED
       python -m speed.editor appended FILE COUNT SEED
       python -m speed.editor saved FILE LAYER_MEBIBYTES SEED…

The same seed makes the same bytes. A program of its own, so that a file system that hangs cannot hang
the benchmark with it.
"""

from __future__ import annotations

import os
import random
import sys
import time

MEBIBYTE = 1 << 20


def noise(count: int, seed: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(count)


def overwritten(path: str, offset: int, count: int, seed: int) -> float:
    new = noise(count, seed)
    return timed(path, lambda file: os.pwrite(file, new, offset))


def inserted(path: str, offset: int, count: int, seed: int) -> float:
    """What is behind the place moves back, the last piece of it first."""
    new = noise(count, seed)

    def change(file: int) -> None:
        end = os.fstat(file).st_size
        while end > offset:
            start = max(offset, end - MEBIBYTE)
            os.pwrite(file, os.pread(file, end - start, start), start + count)
            end = start
        os.pwrite(file, new, offset)

    return timed(path, change)


def deleted(path: str, offset: int, count: int, _: int) -> float:
    def change(file: int) -> None:
        size = os.fstat(file).st_size
        for start in range(offset, size - count, MEBIBYTE):
            os.pwrite(file, os.pread(file, MEBIBYTE, start + count), start)
        os.ftruncate(file, size - count)

    return timed(path, change)


def appended(path: str, count: int, seed: int) -> float:
    new = noise(count, seed)
    return timed(path, lambda file: os.write(file, new), os.O_APPEND)


def saved(path: str, mebibytes: int, *seeds: int) -> float:
    """A file of layers, each of which its seed makes."""
    layers = [noise(mebibytes * MEBIBYTE, seed) for seed in seeds]
    return timed(path, lambda file: [os.write(file, layer) for layer in layers], os.O_CREAT)


def timed(path: str, change, flags: int = 0) -> float:
    """Seconds from the opening of a file until it is closed."""
    started = time.perf_counter()
    file = os.open(path, os.O_RDWR | flags, 0o644)
    change(file)
    os.close(file)
    return time.perf_counter() - started


def main() -> None:
    way, path, *numbers = sys.argv[1:]
    ways = {each.__name__: each for each in (overwritten, inserted, deleted, appended, saved)}
    print(ways[way](path, *map(int, numbers)))


if __name__ == "__main__":
    main()
