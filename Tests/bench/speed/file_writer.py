"""Writes many small files and prints the seconds it took.

usage: python -m speed.file_writer text|binary FOLDER COUNT

The Hub keeps text in git and binaries in LFS, an object each. A program of its own, so that a file
system that hangs cannot hang the benchmark with it.
"""

import os
import sys
import time

FILE_BYTES = 4096
FILES_A_DIRECTORY = 1000


def main() -> None:
    kind, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    noise = os.urandom(FILE_BYTES - 8)
    if kind == "text":
        noise = noise.hex()[: FILE_BYTES - 8].encode()
    started = time.perf_counter()
    for start in range(0, count, FILES_A_DIRECTORY):
        folder = f"{root}/part-{start // FILES_A_DIRECTORY:03}"
        os.mkdir(folder)
        for number in range(start, min(start + FILES_A_DIRECTORY, count)):
            file = os.open(f"{folder}/{number:06}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            # No two files alike, or they were one content.
            os.write(file, b"%08d" % number + noise)
            os.close(file)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
