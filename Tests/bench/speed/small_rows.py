"""What is measured of reading many small files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from . import peers
from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import LIBCURL, memory
from .scene import Scene, forget_pages, processor_seconds, read
from .write_rows import PASSTHROUGH

# What was just read or made is put on disk meanwhile.
IDLE_SECONDS = 2
AGAIN_PASSES = 10


def rows(scene: Scene, library: Library) -> list[Row]:
    return [
        cold(scene, library, 20),
        # Of two processors there is 0.5 ms for each file, at 4000 a second.
        cold(
            scene,
            library,
            0,
            Goal(
                "files",
                "/s",
                at_least=4000,
                why="the Hub and the daemon need 0.7 ms of these processors a file",
            ),
        ),
        warm(scene, library),
    ]


def cold(scene: Scene, library: Library, rtt: int, *goals: Goal) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(rtt)
        with scene.reading(library.small(count)) as mount:
            list_all(mount.path)
            scene.reset_traffic()
            used = processor_seconds(mount.process.pid)
            rate = files_a_second(mount.path)
            used = processor_seconds(mount.process.pid) - used
            return {
                "files": rate,
                "requests": scene.traffic().requests / count,
                "daemon CPU": used * 1000 / count,
                **memory(mount),
            }

    def libcurl(count: int) -> Samples:
        scene.place_hub(rtt)
        repo = library.small(count)
        urls = [scene.resolve_url(repo, path) for path in small_paths(count)]
        scene.reset_traffic()
        rate = count / scene.libcurl.files(urls)
        return {"files": rate, "requests": scene.traffic().requests / count}

    return Row(
        name=f"small-{rtt}ms",
        title="{} files of 16 KiB" + f" by one reader at {rtt} ms, listed and cold",
        size=1000,
        quick_size=200,
        contenders={OURS: hubfs, LIBCURL: libcurl},
        limit=LIBCURL,
        goals=[
            Goal("files", "/s", against=LIBCURL, at_least=0.8),
            *goals,
            Goal("requests", "a file"),
            Goal("daemon CPU", "ms a file"),
            Goal("peak memory", "MiB"),
        ],
    )


def warm(scene: Scene, library: Library) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(0)
        with scene.reading(library.small(count)) as mount:
            files_a_second(mount.path)
            again = files_a_second_again(mount.path)
            forget_pages()
            list_all(mount.path)
            return {"again": again, "again, no pages": files_a_second(mount.path)}

    def disk(count: int) -> Samples:
        with scene.new_folder() as folder:
            return of_files(folder, folder, count)

    def passed_through(count: int) -> Samples:
        with scene.passed_through(keeps=True) as (folder, place):
            return of_files(folder, place, count)

    def of_files(folder: Path, place: Path, count: int) -> Samples:
        for path in small_paths(count):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(os.urandom(16 << 10))
        files_a_second(place)
        again = files_a_second_again(place)
        forget_pages()
        list_all(place)
        return {"again": again, "again, no pages": files_a_second(place)}

    return Row(
        name="small-warm",
        title="{} files of 16 KiB by one reader, again",
        size=1000,
        quick_size=200,
        contenders={OURS: hubfs, "disk": disk, PASSTHROUGH: passed_through},
        limit=PASSTHROUGH,
        goals=[Goal("again", "/s", at_least=25_000), Goal("again, no pages", "/s")],
    )


def small_paths(count: int) -> list[str]:
    """As Library.small makes them."""
    return [f"part-{number // 250:02}/{number:05}.bin" for number in range(count)]


def list_all(folder: Path) -> None:
    for _, _, files in os.walk(folder):
        del files


def files_a_second(folder: Path, passes: int = 1) -> float:
    figures = read("files", folder, passes)
    return figures["files"] / figures["seconds"]


def files_a_second_again(folder: Path) -> float:
    """Of several passes: one of a thousand files takes no longer than a hiccup."""
    os.sync()
    time.sleep(IDLE_SECONDS)
    return files_a_second(folder, AGAIN_PASSES)
