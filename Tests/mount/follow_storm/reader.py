"""One reader of the storm: `python -m follow_storm.reader MOUNT KIND SEED`.

Reads until its standard input ends, then writes how often it has looked. What contradicts itself, and
every error but that a name is gone, ends it with a traceback.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
import threading
from pathlib import Path

from .generations import LARGE_BYTES, WORD, generation_of, names, small


class Reader:
    def __init__(self, mount: Path, seed: int):
        self.mount = mount
        self.random = random.Random(seed)
        self.newest = 0

    def pause(self) -> None:
        """Sometimes longer than a commit lives."""
        ended.wait(self.random.choice((0, 0, 0.01, 0.1, 1.2)))

    def see(self, generation: int) -> None:
        assert generation >= self.newest, f"{generation} was seen after {self.newest}"
        self.newest = generation

    def listing(self) -> None:
        """One stream has the names of one commit, all of them."""
        found = []
        with os.scandir(self.mount / "names") as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) % 13 == 0:
                    self.pause()
        generation = generation_of(found[0])
        assert sorted(found) == names(generation), found
        self.see(generation)

    def reading(self) -> None:
        """One handle has the bytes of one commit, whenever they are read."""
        with open(self.mount / "data/large.bin", "rb", buffering=0) as file:
            assert os.fstat(file.fileno()).st_size == LARGE_BYTES
            generation = WORD.unpack(os.pread(file.fileno(), WORD.size, 0))[0]
            self.see(generation)
            for _ in range(8):
                offset = self.random.randrange(LARGE_BYTES // WORD.size) * WORD.size
                count = self.random.choice((WORD.size, 4096, 200_000))
                self.pause()
                data = os.pread(file.fileno(), count, offset)
                count = min(count, LARGE_BYTES - offset)
                assert data == WORD.pack(generation) * (count // WORD.size), (generation, offset)

    def mapping(self) -> None:
        """So has a mapping."""
        with open(self.mount / "data/large.bin", "rb", buffering=0) as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        generation = WORD.unpack_from(mapped, 0)[0]
        self.see(generation)
        for _ in range(8):
            offset = self.random.randrange(LARGE_BYTES // WORD.size) * WORD.size
            self.pause()
            assert WORD.unpack_from(mapped, offset)[0] == generation, (generation, offset)
        mapped.close()

    def opening(self) -> None:
        """A file has what its name says, or the name is gone."""
        for name in self.random.sample(os.listdir(self.mount / "names"), 10):
            try:
                data = (self.mount / "names" / name).read_bytes()
            except FileNotFoundError:
                continue
            assert data == small(generation_of(name)), (name, data)
        for folder in os.listdir(self.mount / "turn"):
            try:
                data = (self.mount / "turn" / folder / "now.txt").read_bytes()
            except FileNotFoundError:
                continue
            assert int(data) % 3 == int(folder), (folder, data)
        # Asked for before it comes: the kernel keeps that it is absent.
        absent = names(self.newest_name() + 1)[0]
        (self.mount / "names" / absent).exists()
        assert (self.mount / "data/kept.txt").read_bytes() == b"kept\n"

    def newest_name(self) -> int:
        return generation_of(os.listdir(self.mount / "names")[0])


ended = threading.Event()


def main() -> None:
    mount, kind, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    reader = Reader(mount, seed)
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    looks = 0
    while not ended.is_set():
        getattr(reader, kind)()
        looks += 1
    print(looks)


if __name__ == "__main__":
    main()
