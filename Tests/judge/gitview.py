"""git's own view of a repo that localhub keeps: the truth that every answer is compared with."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

POINTER_VERSION = "https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True)
class Entry:
    """One line of `git ls-tree`: `size` is None for directories."""

    mode: str
    kind: str
    oid: str
    size: int | None


@dataclass(frozen=True)
class Pointer:
    """What a Git LFS pointer file says."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Commit:
    """One commit of `git log`, newest first in lists."""

    oid: str
    parents: tuple[str, ...]
    title: str
    body: str
    author: str
    timestamp: int


class GitView:
    """A bare repository, read with the `git` program alone."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *arguments: str, stdin: bytes | None = None, **environment: str) -> bytes:
        """The output of one git command."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode()}"
        return done.stdout

    def rev(self, revision: str = "main") -> str:
        """The commit a revision stands for."""
        return self.run("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()

    def tree(self, revision: str = "main") -> dict[str, Entry]:
        """Every file and directory of a revision by path."""
        entries = {}
        for line in self.run("ls-tree", "-r", "-t", "-l", "-z", revision).split(b"\0"):
            if line:
                head, path = line.split(b"\t", 1)
                mode, kind, oid, size = head.decode().split()
                entries[path.decode()] = Entry(mode, kind, oid, None if size == "-" else int(size))
        return entries

    def files(self, revision: str = "main") -> set[str]:
        """The paths of all files of a revision."""
        return {path for path, entry in self.tree(revision).items() if entry.kind == "blob"}

    def blob(self, path: str, revision: str = "main") -> bytes:
        """The bytes git holds for a path: for an LFS file its pointer."""
        return self.run("cat-file", "blob", f"{revision}:{path}")

    def pointer(self, path: str, revision: str = "main") -> Pointer | None:
        """The LFS pointer at a path, None where the file itself is in git."""
        data = self.blob(path, revision)
        if not data.startswith(f"version {POINTER_VERSION}\n".encode()):
            return None
        fields = dict(line.split(" ", 1) for line in data.decode().splitlines())
        assert fields["oid"].startswith("sha256:")
        return Pointer(fields["oid"].removeprefix("sha256:"), int(fields["size"]))

    def log(self, revision: str = "main", *paths: str) -> list[Commit]:
        """The history of a revision, or of what touched these paths, newest first."""
        form = "%H%x1f%P%x1f%s%x1f%b%x1f%an%x1f%ct%x1e"
        output = self.run("log", f"--format={form}", revision, "--", *paths).decode()
        commits = []
        for record in filter(None, (record.strip("\n") for record in output.split("\x1e"))):
            oid, parents, title, body, author, timestamp = record.split("\x1f")
            commits.append(
                Commit(oid, tuple(parents.split()), title, body.strip(), author, int(timestamp))
            )
        return commits

    def refs(self) -> dict[str, str]:
        """Every ref and the commit it stands for (tags peeled)."""
        lines = self.run("for-each-ref", "--format=%(refname)").decode().split()
        return {name: self.rev(name) for name in lines}

    def attribute(self, name: str, path: str, scratch: Path) -> str:
        """What .gitattributes of main says of a path, as git itself reads it."""
        index = str(scratch / "attribute.index")
        self.run("read-tree", "main", GIT_INDEX_FILE=index)
        output = self.run("check-attr", "--cached", "-z", name, "--", path, GIT_INDEX_FILE=index)
        return output.decode().split("\0")[2]

    def fsck(self) -> None:
        """Fails unless git finds every object whole and every ref sound."""
        self.run("fsck", "--full", "--strict", "--no-dangling")
