"""The daemon dies at every step of a commit, and at random moments: nothing is lost, and what was one
commit is one commit.

HUBFS_CRASH_AT makes a debug build kill itself at a named place (docs/JOURNAL.md).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
from pathlib import Path

import kills
import pytest
from localhub import REPOSITORY
from mounting import detach
from published import Judge, Published, exchange, tree
from samples import MEBIBYTE, noise, text

START = {
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "config.json": b'{"layers": 12}\n',
    "notes.txt": text(30_000, seed=91),
    "weights/one.bin": noise(30_000, seed=92),
    "weights/two.safetensors": noise(MEBIBYTE, seed=93),
    "weights/old/first.bin": noise(5_000, seed=94),
    "weights/old/log.txt": b"step 1\n",
    "data/train/a.csv": b"a,b\n1,2\n",
    "data/train/b.csv": b"a,b\n3,4\n",
    "data/test/c.csv": b"a,b\n5,6\n",
    "doomed/below/d.csv": b"a,b\n7,8\n",
    "doomed/e.csv": b"a,b\n9,10\n",
    "theirs/f.txt": b"to be changed by others\n",
}

POINTS = re.findall(
    r"^    case (\w+)(?: = \"([\w-]+)\")?$",
    (REPOSITORY / "Sources/WriteBack/Publishing/CrashPoint.swift").read_text(),
    re.MULTILINE,
)
NAMES = [spelt or name for name, spelt in POINTS]
PULL_NAMES = ["pulling", "move-journalled", "moved"]
# Those of test_deciding_crashes.py.
OTHER_NAMES = ["resolving", "resolved", "branch-made", "followed"]
# Those of test_xet_writing.py: the Hub of these tests has no such store.
XET_NAMES = ["xorb-stored", "xorbs-stored"]
ELSEWHERE = ["editing", *PULL_NAMES, *OTHER_NAMES, *XET_NAMES]
COMMIT_NAMES = [name for name in NAMES if name not in ELSEWHERE]
# From here on the plan is on disk, and the next commit asks before it sends.
LATE_NAMES = COMMIT_NAMES[COMMIT_NAMES.index("planned") :]
# From here on the journal stands on the commit, and the next mount has nothing to commit.
SETTLED_NAMES = COMMIT_NAMES[COMMIT_NAMES.index("settle-journalled") :]


def write(path: Path, data: bytes, *, syncs: bool = False) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(data)
        if syncs:
            os.fsync(file)


def edits(root: Path) -> None:
    """Something of everything that can be in a commit, and of what never is."""
    write(root / "config.json", b'{"layers": 24}\n', syncs=True)
    write(root / "README.md", START["README.md"] + b"More of it.\n")
    write(root / "new.txt", b"new\n")
    write(root / "new.bin", noise(40_000, seed=95), syncs=True)
    write(root / "other.bin", noise(20_000, seed=96))
    write(root / "empty.txt", b"")
    with (root / "weights/two.safetensors").open("r+b") as file:
        file.seek(MEBIBYTE // 2)
        file.write(b"in the middle")
    with (root / "notes.txt").open("ab") as file:
        file.write(b"at the end\n")
    (root / "weights/one.bin").rename(root / "renamed.bin")
    (root / "weights/old").rename(root / "older")
    write(root / "older/log.txt", b"step 2\n")
    (root / "data").rename(root / "contents")
    (root / "contents/test/c.csv").unlink()
    exchange(root / "contents/train/a.csv", root / "contents/train/b.csv")
    shutil.rmtree(root / "doomed")
    (root / "link").symlink_to("config.json")
    (root / "void/of/nothing").mkdir(parents=True)
    write(root / ".notes.txt.swp", b"swap")
    (root / "contents/__pycache__").mkdir()
    write(root / "contents/__pycache__/a.pyc", b"compiled")


def large_edits(root: Path) -> None:
    """Objects that go in parts."""
    edits(root)
    write(root / "large.bin", noise(10 * MEBIBYTE, seed=97))
    write(root / "larger.bin", noise(11 * MEBIBYTE, seed=98))


def edit_again(root: Path) -> None:
    """What programs do between the crash and the next commit."""
    write(root / "config.json", b'{"layers": 36}\n')
    write(root / "older/first.bin", noise(6_000, seed=99))
    (root / "new.txt").rename(root / "newer.txt")
    (root / "other.bin").unlink()
    write(root / ".notes.txt.swp", b"swapped again")


def is_local(path: str) -> bool:
    return path == ".notes.txt.swp" or path.startswith("contents/__pycache__/")


class Crashing(Judge):
    """A mount that is told where to die."""

    def start(self, point: str | None = None) -> None:
        self.mount.environment.pop("HUBFS_CRASH_AT", None)
        if point:
            self.mount.environment["HUBFS_CRASH_AT"] = point
        self.mount.start(f"hf://{self.published.id}", "-w")

    def dies_in(self, *command: object) -> None:
        """A command in which the daemon dies; it says so."""
        done = self.mount.run(*command, check=False)
        assert self.mount.wait() == -signal.SIGKILL, self.mount.log()
        assert done.returncode == 5, done.stderr
        detach(self.mount.path)

    def dies_in_a_commit(self) -> None:
        self.dies_in("commit", self.mount.path)

    def start_again(self, point: str | None = None) -> None:
        """The next mount shows everything."""
        self.start(point)
        assert tree(self.mount.path) == tree(self.plain)

    def commit_of_others(self, changes: dict[str, bytes]) -> None:
        """Somebody else's commit, which the mount shows when it has one on top of it."""
        self.published.commit(changes)
        self.awaited = changes

    def take_over(self) -> None:
        for path, data in self.awaited.items():
            (self.plain / path).parent.mkdir(parents=True, exist_ok=True)
            (self.plain / path).write_bytes(data)


@pytest.fixture
def judge(hub, import_repo, new_editable_mount, write_token, tmp_path) -> Crashing:
    published = Published(hub, import_repo(START), write_token)
    mount = new_editable_mount(f"hf://{published.id}", "-w", start=False)
    return Crashing(published, mount, tmp_path)


THEIRS = {"theirs/f.txt": b"changed by others\n", "theirs/new.txt": b"added by others\n"}


@pytest.mark.parametrize("point", COMMIT_NAMES)
def test_a_commit_that_dies_is_made_by_the_next(judge, point):
    judge.start(point)
    judge.edit(edits)
    judge.dies_in_a_commit()
    judge.start_again()
    judge.commit()
    judge.check(is_local=is_local)
    judge.remount()


@pytest.mark.parametrize("point", ["uploading:4", "uploading:16", "object-uploaded:3"])
def test_objects_that_arrived_are_not_sent_again(hub, judge, point):
    judge.start(point)
    judge.edit(large_edits)
    judge.dies_in_a_commit()
    judge.start_again()
    hub.reset_stats()
    judge.commit()
    objects = 5
    if point.startswith("object-uploaded"):
        assert hub.stats()["endpoints"].get("lfs-verify", 0) <= objects - 3
    judge.check(is_local=is_local)


@pytest.mark.parametrize("point", LATE_NAMES)
def test_others_commit_between_the_crash_and_the_next_mount(judge, point):
    judge.start(point)
    judge.edit(edits)
    judge.dies_in_a_commit()
    judge.commit_of_others(THEIRS)
    if point in SETTLED_NAMES:
        # A workspace without edits follows the branch.
        judge.take_over()
    judge.start_again()
    judge.commit()
    if point not in SETTLED_NAMES:
        if judge.published.git.log()[0].title == "foreign":
            # Ours was made before theirs, and that is what the mount stands on.
            assert tree(judge.mount.path) == tree(judge.plain)
            judge.mount.run("pull", judge.mount.path)
        judge.take_over()
    judge.check(commits=2, is_local=is_local)
    judge.remount()


@pytest.mark.parametrize("point", ["planned", "posted", "verified", "settled"])
def test_edits_after_the_crash_are_a_commit_of_their_own(judge, point):
    """Unless the first commit had not left: then there is one of everything."""
    judge.start(point)
    judge.edit(edits)
    judge.dies_in_a_commit()
    has_left = judge.published.head != judge.base
    judge.start_again()
    judge.edit(edit_again)
    judge.mount.run("umount", judge.mount.path)
    assert judge.mount.wait() == 0
    judge.start()
    judge.check(commits=2 if has_left else 1, is_local=is_local)


@pytest.mark.parametrize("point", ["uploaded", "posted"])
def test_an_unmount_that_dies_is_made_up_for_by_the_next(judge, point):
    judge.start(point)
    judge.edit(edits)
    judge.dies_in("umount", judge.mount.path)
    judge.start_again()
    judge.mount.run("umount", judge.mount.path)
    assert judge.mount.wait() == 0
    judge.start()
    judge.check(is_local=is_local)


@pytest.mark.parametrize(
    ("first", "point"),
    [
        ("planned", "settling"), ("posted", "settling"), ("posted", "settle-journalled"),
        ("posted", "adopted"),
    ],
)  # fmt: skip
def test_the_commit_that_makes_up_dies_as_well(judge, first, point):
    judge.start(first)
    judge.edit(edits)
    judge.dies_in_a_commit()
    judge.start_again(point)
    judge.dies_in_a_commit()
    judge.start_again()
    judge.commit()
    judge.check(is_local=is_local)
    judge.remount()


@pytest.mark.parametrize("point", ["settling", "settle-journalled", "settled"])
def test_what_others_changed_survives_a_rebase_that_dies(judge, point):
    """The mount has files of its own from the commit before: theirs must not be undone by them."""
    judge.start()
    judge.edit(lambda root: write(root / "theirs/f.txt", b"changed by us first\n"))
    judge.edit(lambda root: (root / "data").rename(root / "moved"))
    judge.commit()
    judge.check()
    judge.mount.run("umount", judge.mount.path)
    judge.mount.wait()
    judge.start(point)
    judge.edit(lambda root: write(root / "config.json", b"ours\n"))
    judge.commit_of_others(THEIRS | {"moved/train/a.csv": b"theirs\n"})
    judge.dies_in_a_commit()
    judge.start()
    judge.commit()
    judge.take_over()
    judge.check(commits=2)
    judge.remount()


@pytest.mark.parametrize("point", PULL_NAMES)
def test_a_pull_that_dies_undoes_nothing(judge, point):
    judge.start()
    judge.edit(edits)
    judge.edit(lambda root: write(root / "theirs/f.txt", b"changed by us first\n"))
    judge.commit()
    judge.check(is_local=is_local)
    judge.mount.run("umount", judge.mount.path)
    judge.mount.wait()
    judge.start(point)
    judge.edit(lambda root: write(root / "config.json", b"ours\n"))
    judge.edit(lambda root: (root / "contents").rename(root / "inside"))
    judge.commit_of_others(THEIRS)
    judge.dies_in("pull", judge.mount.path)
    judge.start()
    judge.mount.run("pull", judge.mount.path)
    judge.take_over()
    assert tree(judge.mount.path) == tree(judge.plain)
    judge.commit("-m", "ours")
    judge.check(commits=2, is_local=lambda path: is_local(path.replace("inside/", "contents/")))
    judge.remount()


@pytest.mark.parametrize("size", [0, 10_000])
def test_an_edit_that_dies_was_done_or_was_not(judge, size):
    """It destroys no byte before the journal knows of it."""
    judge.start()
    judge.edit(lambda root: write(root / "new.bin", noise(50_000, seed=100)))
    judge.mount.run("umount", "--no-commit", judge.mount.path)
    assert judge.mount.wait() == 0
    judge.start("editing")
    with pytest.raises(OSError):
        os.truncate(judge.mount.path / "new.bin", size)
    assert judge.mount.wait() == -signal.SIGKILL
    detach(judge.mount.path)
    judge.start_again()
    judge.commit()
    judge.check()


def test_a_crash_point_that_is_none_is_refused(judge):
    judge.mount.environment["HUBFS_CRASH_AT"] = "nowhere"
    done = judge.mount.run("status", check=False)
    assert done.returncode == 2
    assert "HUBFS_CRASH_AT=nowhere names no crash point" in done.stderr and "planned" in done.stderr
    judge.mount.environment["HUBFS_CRASH_AT"] = "planned:0"
    assert judge.mount.run("status", check=False).returncode == 2


def test_every_crash_point_is_found_in_the_source():
    assert len(COMMIT_NAMES) == 18 and set(ELSEWHERE) < set(NAMES)


# HUBFS_KILL_SEED repeats a run as far as the scheduler lets it; scripts/soak --kills makes it longer.
KILL_ROUNDS = 25


def test_kills_at_random_moments(hub, import_repo, new_editable_mount, write_token, tmp_path):
    given = os.environ.get("HUBFS_KILL_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(10**9)
    print(f"HUBFS_KILL_SEED={seed}")
    published = Published(hub, import_repo(kills.START), write_token)
    mount = new_editable_mount(f"hf://{published.id}", "-w", "--commit", "manual")
    run = kills.Kills(Judge(published, mount, tmp_path), seed)
    for _ in range(KILL_ROUNDS):
        run.round()
    assert run.operations > 10 * KILL_ROUNDS
    run.judge.mount.run("umount", mount.path)
    assert mount.wait() == 0
