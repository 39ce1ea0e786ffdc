"""What each commit of the storm has: everything in it says of which commit it is."""

from __future__ import annotations

import struct

COUNT = 150
# Names so long that a program reads the folder in several calls, and the commit can change between.
FILLER = "n" * 230
WORD = struct.Struct("<Q")
# Not a whole number of pages.
LARGE_BYTES = 700_000 // WORD.size * WORD.size


def names(generation: int) -> list[str]:
    return [f"{generation:06}-{number:03}-{FILLER}" for number in range(COUNT)]


def generation_of(name: str) -> int:
    return int(name.split("-")[0])


def small(generation: int) -> bytes:
    return b"%06d\n" % generation


def large(generation: int) -> bytes:
    return WORD.pack(generation) * (LARGE_BYTES // WORD.size)


def files(generation: int) -> dict[str, bytes]:
    """A folder whose names all change, a file that changes, one that never does, and a folder with
    the commit in its own name."""
    found = {f"names/{name}": small(generation) for name in names(generation)}
    found["data/large.bin"] = large(generation)
    found["data/kept.txt"] = b"kept\n"
    found[f"turn/{generation % 3}/now.txt"] = small(generation)
    return found
