"""Writes many small files and prints the seconds it took.

usage: python -m speed.file_writer FOLDER COUNT

A program of its own, so that a file system that hangs cannot hang the benchmark with it.
"""

import os
import sys
import time

FILE_BYTES = 4096
FILES_A_DIRECTORY = 1000


def main() -> None:
    root, count = sys.argv[1], int(sys.argv[2])
    # No two files alike, or they were one content.
    noise = os.urandom(FILE_BYTES - 8)
    started = time.perf_counter()
    for start in range(0, count, FILES_A_DIRECTORY):
        folder = f"{root}/part-{start // FILES_A_DIRECTORY:03}"
        os.mkdir(folder)
        for number in range(start, min(start + FILES_A_DIRECTORY, count)):
            file = os.open(f"{folder}/{number:06}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(file, number.to_bytes(8, "little") + noise)
            os.close(file)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
