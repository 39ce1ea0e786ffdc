"""Reads in one way and prints what it took, as JSON.

usage: python -m speed.reader WAY PLACE [NUMBER…]

A program of its own, so that a file system that hangs cannot hang the benchmark with it, and so
that nothing a reader has in memory helps the next one. All times are seconds.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator

MEBIBYTE = 1 << 20
PAGE_BYTES = 4096


def sequential(path: str) -> dict:
    """All of a file with reads of 1 MiB, and when the first of them was there."""
    buffer = bytearray(MEBIBYTE)
    count, first = 0, None
    started = time.perf_counter()
    file = os.open(path, os.O_RDONLY)
    while got := os.readv(file, [buffer]):
        first = first or time.perf_counter() - started
        count += got
    return {"seconds": time.perf_counter() - started, "first": first, "bytes": count}


def direct(path: str) -> dict:
    """All of a file with reads of 1 MiB and O_DIRECT, which wants memory in pages."""
    count = 0
    with mmap.mmap(-1, MEBIBYTE) as pages, memoryview(pages) as buffer:
        started = time.perf_counter()
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
        while got := os.readv(file, [buffer]):
            count += got
        return {"seconds": time.perf_counter() - started, "bytes": count}


def mapped(path: str) -> dict:
    """All of a file through a mapping, 1 MiB at a time."""
    started = time.perf_counter()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        starts = range(0, len(pages), MEBIBYTE)
        count = sum(len(pages[start : start + MEBIBYTE]) for start in starts)
    return {"seconds": time.perf_counter() - started, "bytes": count}


def scattered(path: str, count: int, seed: int) -> dict:
    """Single pages at places that no readahead can guess."""
    dice = random.Random(seed)
    file = os.open(path, os.O_RDONLY)
    pages = os.fstat(file).st_size // PAGE_BYTES
    places = [page * PAGE_BYTES for page in dice.sample(range(pages), count)]
    started = time.perf_counter()
    times = [timed(lambda: os.pread(file, PAGE_BYTES, place)) for place in places]
    return {
        "seconds": time.perf_counter() - started,
        "median": statistics.median(times),
        "worst": max(times),
    }


def first_pages(first: str, second: str) -> dict:
    """The first page of a file; another page of it once its address is known and a connection is
    warm; two at once, one of which needs a new connection; the first page of another file."""
    os.stat(first), os.stat(second)
    known = os.open(first, os.O_RDONLY)
    unknown = os.open(second, os.O_RDONLY)
    size = os.fstat(known).st_size
    return {
        "nothing known": timed(lambda: os.pread(known, PAGE_BYTES, 0)),
        "address known, warm": timed(lambda: os.pread(known, PAGE_BYTES, size // 2)),
        "address known, cold": max(in_threads(
            2, lambda n: timed(lambda: os.pread(known, PAGE_BYTES, size // 4 * (2 * n + 1)))
        )),
        "address unknown, warm": timed(lambda: os.pread(unknown, PAGE_BYTES, 0)),
    }  # fmt: skip


def threads(path: str, count: int, mebibytes: int) -> dict:
    """The start of a file on one descriptor, by threads that each take the next MiB."""
    file = os.open(path, os.O_RDONLY)
    places = iter(range(0, mebibytes * MEBIBYTE, MEBIBYTE))
    lock = threading.Lock()

    def work(_: int) -> int:
        buffer, done = bytearray(MEBIBYTE), 0
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return done
            done += os.preadv(file, [buffer], place)

    started = time.perf_counter()
    done = sum(in_threads(count, work))
    return {"seconds": time.perf_counter() - started, "bytes": done}


def processes(path: str, count: int) -> dict:
    """All of a file by processes that share a descriptor and stream a part each."""
    file = os.open(path, os.O_RDONLY)
    part = os.fstat(file).st_size // count

    def stream(start: int) -> None:
        buffer = bytearray(MEBIBYTE)
        for place in range(start, start + part, MEBIBYTE):
            os.preadv(file, [buffer], place)

    started = time.perf_counter()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            stream(number * part)
            os._exit(0)
        children.append(child)
    for child in children:
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise RuntimeError(f"a reader ended with {status}")
    return {"seconds": time.perf_counter() - started, "bytes": part * count}


def crowd(path: str, count: int, mebibytes: int) -> dict:
    """A part of a file for each of many threads with a descriptor of its own, all at once."""
    size = os.stat(path).st_size

    def work(number: int) -> int:
        file = os.open(path, os.O_RDONLY)
        start = size // count * number
        buffer = bytearray(128 << 10)
        return sum(
            os.preadv(file, [buffer], place)
            for place in range(start, start + mebibytes * MEBIBYTE, len(buffer))
        )

    started = time.perf_counter()
    done = sum(in_threads(count, work))
    return {"seconds": time.perf_counter() - started, "bytes": done}


def files(folder: str, passes: int) -> dict:
    """Every file below a folder, one after the other, in order, so many times."""
    started = time.perf_counter()
    count = 0
    for _ in range(passes):
        for path in sorted_files(folder):
            file = os.open(path, os.O_RDONLY)
            while os.read(file, 64 << 10):
                pass
            os.close(file)
            count += 1
    return {"seconds": time.perf_counter() - started, "files": count}


def sparse(path: str, wanted: int) -> dict:
    """What a loader reads of a safetensors file of which it needs some tensors."""
    started = time.perf_counter()
    file = os.open(path, os.O_RDONLY)
    (length,) = struct.unpack("<Q", os.pread(file, 8, 0))
    header = json.loads(os.pread(file, length, 8))
    names = sorted(header)[:: len(header) // wanted][:wanted]
    touched = 0
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as pages:
        for name in names:
            start, end = (8 + length + place for place in header[name]["data_offsets"])
            for place in range(start, end, PAGE_BYTES):
                pages[place]
            touched += end - start
    return {"seconds": time.perf_counter() - started, "bytes": touched + 8 + length}


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_threads(count: int, work: Callable[[int], object]) -> list:
    results: list = [None] * count

    def run(number: int) -> None:
        results[number] = work(number)

    crew = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    # A thread that failed has left nothing.
    if None in results:
        raise RuntimeError("a reader failed")
    return results


def sorted_files(folder: str) -> Iterator[str]:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            yield from sorted_files(entry.path)
        else:
            yield entry.path


WAYS = {
    way.__name__: way
    for way in (
        sequential, direct, mapped, scattered, first_pages, threads, processes, crowd, files, sparse
    )
}


def main() -> None:
    way, *words = sys.argv[1:]
    result = WAYS[way](*(int(word) if word.isdigit() else word for word in words))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
