"""What is measured of names, sizes and times, and of getting ready."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import mounting

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import memory
from .scene import COMMAND_SECONDS, Scene

DISK = "disk"


def rows(scene: Scene, library: Library) -> list[Row]:
    return [
        list_cold(scene, library),
        list_warm(scene, library),
        list_later(scene, library),
        mount_again(scene, library, 0, [Goal("usable", "ms", at_most=50)]),
        # Here the Hub is asked what the branch is now, over a connection that has to be made.
        mount_again(scene, library, 20, [Goal("usable", "ms")]),
    ]


def list_cold(scene: Scene, library: Library) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(20)
        seconds, requests = first_listing(scene, library.tree(count))
        # With the folder and .gitattributes this is what a page of the Hub has room for.
        _, page_requests = first_listing(scene, library.tree(count - 2))
        return {
            "ls -lR": seconds,
            "listing requests": requests,
            "listing requests, 2 files less": page_requests,
        }

    return Row(
        name="list-cold",
        title="ls -lR of {} files in a folder at 20 ms, cold",
        size=1000,
        quick_size=200,
        contenders={OURS: hubfs},
        goals=[
            Goal("ls -lR", "s", at_most=0.1),
            Goal(
                "listing requests",
                "",
                at_most=1,
                is_worst=True,
                why="1002 entries with the folder and .gitattributes; a page of the Hub has 1000",
            ),
            Goal("listing requests, 2 files less", "", at_most=1, is_worst=True),
        ],
    )


def first_listing(scene: Scene, repo: str) -> tuple[float, int]:
    """Seconds of `ls -lR` with nothing cached, and the requests for it."""
    # The mount begins to list before anybody asks.
    scene.reset_traffic()
    with scene.reading(repo) as mount:
        return list_recursively(mount.path), scene.traffic().listings


def list_warm(scene: Scene, library: Library) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(0)
        with scene.reading(library.tree(count)) as mount:
            first = list_recursively(mount.path)
            return {"ls -lR": list_recursively(mount.path), "first": first, **memory(mount)}

    def disk(count: int) -> Samples:
        with scene.new_folder() as folder:
            for number in range(count):
                file = folder / f"part-{number // 1000:03}" / f"{number:06}.txt"
                file.parent.mkdir(exist_ok=True)
                file.touch()
            list_recursively(folder)
            return {"ls -lR": list_recursively(folder)}

    return Row(
        name="list-warm",
        title="ls -lR of {} files, again",
        size=100_000,
        quick_size=2000,
        contenders={OURS: hubfs, DISK: disk},
        limit=DISK,
        goals=[
            Goal("ls -lR", "s", at_most=0.8),
            Goal("first", "s"),
            Goal("peak memory", "MiB", at_most=64, is_worst=True),
        ],
    )


def list_later(scene: Scene, library: Library) -> Row:
    def hubfs(seconds: int) -> Samples:
        scene.place_hub(0)
        with scene.reading(library.tree(1000)) as mount:
            list_recursively(mount.path)
            time.sleep(seconds)
            scene.reset_traffic()
            list_recursively(mount.path)
            return {"requests": scene.traffic().requests}

    return Row(
        name="list-later",
        title="ls -lR of 1000 files again after {} seconds",
        size=61,
        quick_size=1,
        contenders={OURS: hubfs},
        goals=[Goal("requests", "", at_most=0, is_worst=True)],
        is_count=True,
    )


def mount_again(scene: Scene, library: Library, rtt: int, goals: list[Goal]) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(rtt)
        repo = library.tree(count)
        with scene.new_folder() as folder:
            mount = mounting.Mount(folder, scene.hub.address.endpoint)
            mount_and_list(mount, repo)
            scene.reset_traffic()
            seconds = mount_and_list(mount, repo)
            return {"usable": seconds * 1000, "requests": scene.traffic().requests}

    return Row(
        name=f"mount-{rtt}ms",
        title="mounted in the background, its {} files known, until its root is listed,"
        + f" at {rtt} ms",
        size=1000,
        quick_size=200,
        contenders={OURS: hubfs},
        goals=[*goals, Goal("requests", "")],
    )


def mount_and_list(mount: mounting.Mount, repo: str) -> float:
    """Seconds from the command to the listing; the mount is gone after."""
    started = time.monotonic()
    mount.run("mount", f"hf://{repo}", mount.path)
    try:
        subprocess.run(["ls", mount.path], check=True, timeout=60, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        list_recursively(mount.path)
    finally:
        mount.run("umount", mount.path)
    return seconds


def list_recursively(folder: Path) -> float:
    started = time.monotonic()
    subprocess.run(
        ["ls", "-lR", folder], check=True, timeout=COMMAND_SECONDS, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - started
