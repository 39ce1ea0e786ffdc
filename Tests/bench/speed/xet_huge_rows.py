"""What is measured of a very large file on its way to the store of chunks and back: above all, memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .scene import MEBIBYTE, Scene, read, run
from .write_rows import megabytes
from .xet_side import FILE, Side
from .xet_writing_rows import OFFICIAL, committed, uploaded

UPLOADING = Goal("peak memory, upload", "MiB", at_most=128, is_worst=True)
READING = Goal("peak memory, reading", "MiB", at_most=64, is_worst=True)
# How far the Hub is when the file is read.
READING_RTT = 20


def rows(scene: Scene, library: Library) -> list[Row]:
    @contextlib.contextmanager
    def new_side(contender: str) -> Iterator[tuple[Side, str]]:
        """A Hub for one turn: there is not room for two such files."""
        side = Side(scene, f"huge-{contender}")
        try:
            yield side, side.new_repo("lab/huge")
        finally:
            side.close()

    def ours(mebibytes: int) -> Samples:
        with new_side(OURS) as (side, repo):
            with side.mounted(repo, "-w", "--commit", "manual") as mount:
                write(mount.path / FILE, mebibytes)
                sent = committed(side, mount)
            side.place(READING_RTT)
            with side.mounted(repo) as mount:
                figures = read("sequential", mount.path / FILE)
                peak = mount.peak_memory_bytes()
        return both(mebibytes, sent, figures["seconds"], peak)

    def theirs(mebibytes: int) -> Samples:
        with new_side(OFFICIAL) as (side, repo):
            with scene.new_folder() as folder:
                write(folder / FILE, mebibytes)
                sent = uploaded(side, folder / "home", repo, folder / FILE, FILE)
            side.place(READING_RTT)
            with scene.new_folder() as folder:
                found = side.client(
                    folder / "home", "download", repo, FILE, "--local-dir", folder / "got"
                )
        return both(mebibytes, sent, found["seconds"], found["peak"])

    return [
        Row(
            name="xet-huge",
            title="{} MiB written and sent, and read by another mount at %d ms" % READING_RTT,
            size=10240,
            quick_size=512,
            contenders={OURS: ours, OFFICIAL: theirs},
            goals=[
                UPLOADING,
                Goal("upload", "MB/s", against=OFFICIAL),
                Goal("sent", "x"),
                READING,
                Goal("reading", "MB/s", against=OFFICIAL),
            ],
            is_count=True,
        )
    ]


def write(file: object, mebibytes: int) -> None:
    run("dd", "if=/dev/urandom", f"of={file}", "bs=1M", f"count={mebibytes}")


def both(mebibytes: int, sent: Samples, reading_seconds: float, reading_peak: int) -> Samples:
    size = mebibytes * MEBIBYTE
    return {
        UPLOADING.measure: sent["peak memory"],
        "upload": megabytes(size) / sent["time"],
        "sent": sent["sent"] * 1000 / size,
        READING.measure: reading_peak / MEBIBYTE,
        "reading": megabytes(size) / reading_seconds,
    }
