"""`kill -9` at random moments of edits and commits, and what must hold when the mount is back.

Every operation is one system call, done to the mount first and to a plain folder once it was answered.
So when the daemon dies, the plain folder has all that was answered, and at most one operation is in
doubt.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from mounting import binary, detach
from published import Judge, tree

# What a system call says of a daemon that died in the middle of it, or before.
DEAD = {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV}

NAMES = [f"{stem}{suffix}" for stem in "abcdef" for suffix in (".txt", ".bin")]
FOLDERS = ["", "d", "e", "d/f"]
WRITE_BYTES_MAX = 60_000
THEIRS = "theirs/note.txt"
START = {"start.txt": b"start\n", "start.bin": bytes(50_000), "d/one.txt": b"1\n", THEIRS: b"0\n"}

Operation = tuple


def perform(root: Path, operation: Operation) -> None:
    """One operation, which is at most one request that changes something."""
    match operation:
        case ("create", path):
            os.close(os.open(root / path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        case ("write", path, offset, data, syncs):
            file = os.open(root / path, os.O_WRONLY)
            try:
                assert os.pwrite(file, data, offset) == len(data)
                if syncs:
                    os.fsync(file)
            finally:
                os.close(file)
        case ("truncate", path, size):
            os.truncate(root / path, size)
        case ("rename", old, new):
            os.rename(root / old, root / new)
        case ("unlink", path):
            os.unlink(root / path)
        case ("mkdir", path):
            os.mkdir(root / path)
        case ("rmdir", path):
            os.rmdir(root / path)
        case _:
            raise ValueError(operation)


class Kills:
    """Rounds of edits that end with the death of the daemon."""

    def __init__(self, judge: Judge, seed: int):
        self.judge = judge
        self.random = random.Random(seed)
        self.titles = itertools.count(1)
        self.answered: list[str] = []
        self.operations = 0
        self.commits = 0

    def round(self) -> None:
        """Edits and commits until the daemon dies, then everything is looked at."""
        judge, mount = self.judge, self.judge.mount
        commands = []
        killer = threading.Timer(self.random.uniform(0.02, 0.5), mount.process.kill)
        killer.start()
        try:
            doubtful = self.edit(commands)
        finally:
            killer.cancel()
            mount.process.kill()
            mount.wait()
            for title, command in commands:
                output = command.communicate(timeout=60)[0]
                if command.returncode == 0 and output.startswith("committed"):
                    self.answered.append(title)
        detach(mount.path)
        if self.random.random() < 0.3:
            data = b"%d\n" % next(self.titles)
            judge.published.commit({THEIRS: data})
            (judge.plain / THEIRS).write_bytes(data)
        mount.restart()
        self.settle(doubtful)
        self.commit_the_rest()

    def edit(self, commands: list) -> Operation | None:
        """Edits until the daemon is dead.

        Returns the operation it died in; nobody knows whether that was done."""
        mount = self.judge.mount
        for operation in self.choices():
            if operation[0] == "commit":
                if not commands or commands[-1][1].poll() is not None:
                    commands.append(self.begin_commit())
                continue
            try:
                perform(mount.path, operation)
            except OSError as error:
                if error.errno not in DEAD:
                    raise
                return operation
            perform(self.judge.plain, operation)
            self.operations += 1
        raise AssertionError("edits never end")

    def choices(self) -> Iterator[Operation]:
        """Operations that succeed in the plain folder as it is."""
        choose = self.random
        plain = self.judge.plain
        while True:
            files, folders = names(plain)
            shown = files + folders
            path = str(Path(choose.choice(FOLDERS), choose.choice(NAMES)))
            kind = choose.choices(
                ["write", "create", "rename", "unlink", "truncate", "mkdir", "rmdir", "move", "commit"],
                [10, 6, 4, 2, 2, 1, 1, 1, 1],
            )[0]  # fmt: skip
            has_parent = (plain / path).parent.is_dir()
            if kind == "commit":
                yield ("commit",)
            elif kind == "create" and has_parent and path not in shown:
                yield ("create", path)
            elif kind == "mkdir":
                folder = choose.choice(FOLDERS[1:])
                if folder not in shown and (plain / folder).parent.is_dir():
                    yield ("mkdir", folder)
            elif kind == "rmdir":
                empty = [folder for folder in folders if not any((plain / folder).iterdir())]
                if empty:
                    yield ("rmdir", choose.choice(empty))
            elif kind == "move" and folders:
                old, new = choose.choice(folders), choose.choice(FOLDERS[1:])
                if new not in shown and (plain / new).parent.is_dir() and not is_in(new, old):
                    yield ("rename", old, new)
            elif not files:
                continue
            elif kind == "write":
                data = choose.randbytes(choose.randrange(1, WRITE_BYTES_MAX))
                yield (
                    "write", choose.choice(files), choose.randrange(100_000), data,
                    choose.random() < 0.2,
                )  # fmt: skip
            elif kind == "truncate":
                yield ("truncate", choose.choice(files), choose.randrange(100_000))
            elif kind == "unlink":
                yield ("unlink", choose.choice(files))
            elif kind == "rename" and has_parent and path not in folders:
                yield ("rename", choose.choice(files), path)

    def begin_commit(self) -> tuple[str, subprocess.Popen]:
        title = f"commit {next(self.titles)}"
        mount = self.judge.mount
        self.commits += 1
        return title, subprocess.Popen(
            [binary(), "commit", mount.path, "-m", title],
            env=mount.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def settle(self, doubtful: Operation | None) -> None:
        """The mount shows all that was answered; the doubtful operation was done, or it was not."""
        shown, wanted = self.shown(self.judge.mount.path), self.shown(self.judge.plain)
        if shown != wanted and doubtful:
            if doubtful[0] == "write":
                self.take_write(doubtful)
            else:
                perform(self.judge.plain, doubtful)
            wanted = self.shown(self.judge.plain)
        different = {
            path: (shown.get(path), wanted.get(path))
            for path in shown.keys() | wanted.keys()
            if shown.get(path) != wanted.get(path)
        }
        assert not different, (different, doubtful and doubtful[:3])

    def shown(self, root: Path) -> dict:
        """What is ours alone: the Hub's own lines and others' changes show sooner or later."""
        foreign = (".gitattributes", THEIRS)
        return {path: entry for path, entry in tree(root).items() if path not in foreign}

    def take_write(self, doubtful: Operation) -> None:
        """A write that was not answered may have got to any of its bytes; the others are as they
        were."""
        _, path, offset, data, _ = doubtful
        before = (self.judge.plain / path).read_bytes()
        after = (self.judge.mount.path / path).read_bytes()
        end = offset + len(data)
        done = before.ljust(offset, b"\0")[:offset] + data + before[end:]
        # The kernel may make several requests of one call.
        assert len(before) <= len(after) <= len(done), (path, len(before), len(done), len(after))
        assert after[:offset] == before[:offset].ljust(min(offset, len(after)), b"\0")
        assert after[end:] == before[end:]
        old = before.ljust(end, b"\0")
        for index in range(offset, min(end, len(after))):
            assert after[index] in (old[index], data[index - offset])
        shutil.copyfile(self.judge.mount.path / path, self.judge.plain / path)

    def commit_the_rest(self) -> None:
        """Afterwards the Hub has everything, by commits of which none was made twice or for nothing."""
        judge = self.judge
        title = f"commit {next(self.titles)}"
        if judge.commit("-m", title):
            self.answered.append(title)
        judge.mount.run("pull", judge.mount.path)
        commits = judge.new_commits()
        made = [commit.title for commit in commits if commit.title != "foreign"]
        assert len(set(made)) == len(made), made
        assert set(self.answered) <= set(made), (self.answered, made)
        trees = [
            judge.published.git.run("rev-parse", f"{commit.oid}^{{tree}}") for commit in commits
        ]
        assert all(newer != older for newer, older in itertools.pairwise(trees))
        self.answered = []
        judge.glance(commits=len(commits))


def names(root: Path) -> tuple[list[str], list[str]]:
    """Files and directories that are ours, in an order that is the same in every run."""
    files: list[str] = []
    folders: list[str] = []
    for folder, below, found in os.walk(root):
        place = os.path.relpath(folder, root)
        folders += [os.path.normpath(os.path.join(place, name)) for name in below]
        files += [os.path.normpath(os.path.join(place, name)) for name in found]
    foreign = (".gitattributes", "theirs")
    return tuple(
        sorted(path for path in paths if not path.startswith(foreign)) for paths in (files, folders)
    )


def is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
