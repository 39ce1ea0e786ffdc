"""What is measured of reading many small files."""

from __future__ import annotations

import os
from pathlib import Path

from . import peers
from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import LIBCURL, memory
from .scene import Scene, forget_pages, read


def rows(scene: Scene, library: Library) -> list[Row]:
    return [
        cold(scene, library, 20, Goal("files", "/s", against=LIBCURL, at_least=0.8)),
        cold(scene, library, 0, Goal("files", "/s", at_least=4000)),
        warm(scene, library),
    ]


def cold(scene: Scene, library: Library, rtt: int, goal: Goal) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(rtt)
        with scene.reading(library.small(count)) as mount:
            list_all(mount.path)
            scene.reset_traffic()
            rate = files_a_second(mount.path)
            return {
                "files": rate,
                "requests": scene.traffic().requests / count,
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
        goals=[goal, Goal("requests", "a file"), Goal("peak memory", "MiB")],
    )


def warm(scene: Scene, library: Library) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(0)
        with scene.reading(library.small(count)) as mount:
            files_a_second(mount.path)
            again = files_a_second(mount.path)
            forget_pages()
            list_all(mount.path)
            return {"again": again, "again, no pages": files_a_second(mount.path)}

    def disk(count: int) -> Samples:
        with scene.new_folder() as folder:
            for path in small_paths(count):
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(os.urandom(16 << 10))
            again = files_a_second(folder)
            forget_pages()
            list_all(folder)
            return {"again": again, "again, no pages": files_a_second(folder)}

    return Row(
        name="small-warm",
        title="{} files of 16 KiB by one reader, again",
        size=1000,
        quick_size=200,
        contenders={OURS: hubfs, "disk": disk},
        limit="disk",
        goals=[Goal("again", "/s", at_least=25_000), Goal("again, no pages", "/s")],
    )


def small_paths(count: int) -> list[str]:
    """As Library.small makes them."""
    return [f"part-{number // 250:02}/{number:05}.bin" for number in range(count)]


def list_all(folder: Path) -> None:
    for _, _, files in os.walk(folder):
        del files


def files_a_second(folder: Path) -> float:
    figures = read("files", folder)
    return figures["files"] / figures["seconds"]
