"""A repo as everybody but hubfs sees it: through the official client, and through git alone.

`Judge` keeps a plain folder beside a mount: what is done to both must end as one commit that gives
every outsider the plain folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

from gitview import GitView
from huggingface_hub import CommitOperationAdd, HfApi
from reference_model import journal
from samples import git_oid

RENAME_EXCHANGE = 2
LIBC = ctypes.CDLL(None, use_errno=True)

# The SHA-256 of a file and its size: also what a pointer of Git LFS says.
Content = tuple[str, int]
# What a directory tree shows: a file's content, a link's target, or "directory".
Tree = dict[str, Content | str]


def exchange(first: Path, second: Path) -> None:
    """Swaps two names. Source: man 2 renameat2."""
    paths = (os.fsencode(first), os.fsencode(second))
    if LIBC.renameat2(-100, paths[0], -100, paths[1], RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def content(data: bytes) -> Content:
    return hashlib.sha256(data).hexdigest(), len(data)


def tree(root: Path) -> Tree:
    """Everything below a directory, by path."""
    found: Tree = {}
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            path = Path(folder, name)
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"link to {path.readlink()}"
            elif name in directories:
                found[key] = "directory"
            else:
                found[key] = content(path.read_bytes())
    return found


def files(shown: Tree, is_local: Callable[[str], bool]) -> dict[str, Content]:
    """What of a tree belongs at the Hub."""
    return {
        path: entry
        for path, entry in shown.items()
        if not isinstance(entry, str) and not is_local(path)
    }


def is_named(oid: str, data: bytes) -> bool:
    """Whether git has these bytes under a name, as they are or as a pointer of Git LFS."""
    digest, size = content(data)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"
    return oid in (git_oid(data), git_oid(pointer.encode()))


class Published:
    """One repo of a local Hub."""

    def __init__(self, hub, repo: str, token: str):
        self.hub = hub
        self.id = repo
        self.git = GitView(hub.root / f"models/{repo}.git")
        self.token = token

    @property
    def api(self) -> HfApi:
        return HfApi(endpoint=self.hub.address.endpoint, token=self.token)

    @property
    def head(self) -> str:
        return self.git.rev()

    def commit(self, changes: dict[str, bytes], title: str = "foreign") -> str:
        """Somebody else's commit."""
        operations = [CommitOperationAdd(path, data) for path, data in changes.items()]
        return self.api.create_commit(self.id, operations, commit_message=title).oid

    def snapshot(self, folder: Path) -> dict[str, Content]:
        """What the official client downloads."""
        self.api.snapshot_download(self.id, revision="main", local_dir=folder)
        shutil.rmtree(folder / ".cache")
        return files(tree(folder), lambda path: False)

    def clone(self, folder: Path) -> dict[str, Content]:
        """What `git clone` brings; files in LFS by what their pointers say."""
        subprocess.run(
            ["git", "clone", "-q", "--no-hardlinks", self.git.path, folder],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        shutil.rmtree(folder / ".git")
        found = files(tree(folder), lambda path: False)
        for path in found:
            if pointer := self.git.pointer(path):
                found[path] = (pointer.sha256, pointer.size)
        return found


class Judge:
    """A mount, the plain folder it must be equal to, and the commits it makes."""

    def __init__(self, published: Published, mount, folder: Path):
        self.published = published
        self.mount = mount
        self.folder = folder
        self.plain = folder / "plain"
        self.base = published.head
        self.looks = 0
        published.snapshot(self.plain)

    def edit(self, script: Callable[[Path], object]) -> None:
        """Does the same to the mount and to the plain folder."""
        for root in (self.mount.path, self.plain):
            script(root)

    def commit(self, *options: str) -> str:
        """`hubfs commit`, which must succeed. Returns what it prints."""
        return self.mount.run("commit", self.mount.path, *options).stdout

    def new_commits(self) -> list:
        """The commits since the last look, newest first."""
        log = self.published.git.log()
        return log[: [commit.oid for commit in log].index(self.base)]

    def check(
        self, commits: int = 1, *, is_local: Callable[[str], bool] = lambda path: False
    ) -> None:
        """Exactly so many commits were made, and everybody sees the plain folder in the last one."""
        new = self.new_commits()
        assert len(new) == commits, [commit.title for commit in new]
        parents = [commit.oid for commit in new[1:]] + [self.base]
        assert [commit.parents for commit in new] == [(parent,) for parent in parents][: len(new)]
        self.base = self.published.head
        self.take_attributes()
        shown = tree(self.plain)
        wanted = files(shown, is_local)
        self.looks += 1
        with self.scratch() as folder:
            assert self.published.snapshot(folder / "snapshot") == wanted
            assert self.published.clone(folder / "clone") == wanted
        assert tree(self.mount.path) == shown
        self.nothing_is_left(is_local)

    def glance(
        self, commits: int = 1, *, is_local: Callable[[str], bool] = lambda path: False
    ) -> None:
        """Exactly so many commits were made, and git names the plain folder in the last one: what
        `check` asks many, asked in a moment."""
        new = self.new_commits()
        assert len(new) == commits, [commit.title for commit in new]
        self.base = self.published.head
        self.take_attributes()
        self.is_at_the_hub(is_local)
        assert tree(self.mount.path) == tree(self.plain)

    def is_at_the_hub(self, is_local: Callable[[str], bool] = lambda path: False) -> None:
        """git names the plain folder."""
        wanted = files(tree(self.plain), is_local)
        entries = self.published.git.tree()
        named = {path: entry.oid for path, entry in entries.items() if entry.kind == "blob"}
        assert set(named) == set(wanted)
        wrong = {
            path for path in wanted if not is_named(named[path], (self.plain / path).read_bytes())
        }
        assert not wrong

    def take_attributes(self) -> None:
        """The Hub itself adds lines to `.gitattributes`: those are nobody's edit."""
        path = self.plain / ".gitattributes"
        lines = self.published.git.blob(".gitattributes")
        assert lines.startswith(path.read_bytes())
        path.write_bytes(lines)

    def remount(self, *, forgetting: bool = False) -> None:
        """Unmounting has nothing to commit, and the next mount shows the same.

        forgetting: it has an empty cache.
        """
        self.mount.run("umount", self.mount.path)
        assert self.mount.wait() == 0
        assert self.published.head == self.base
        journal.check(self.mount.folder / "state")
        if forgetting:
            shutil.rmtree(self.mount.folder / "cache")
        self.mount.restart()
        assert tree(self.mount.path) == tree(self.plain)

    def nothing_is_left(self, is_local: Callable[[str], bool]) -> None:
        """The workspace keeps bytes of what is local only, and no plan."""
        for workspace in journal.workspaces(self.mount.folder / "state"):
            with contextlib.closing(
                sqlite3.connect(f"file:{workspace / 'journal.db'}?mode=ro", uri=True)
            ) as database:
                nodes = {
                    number: (parent, name.decode(errors="surrogateescape"))
                    for number, parent, name in database.execute(
                        "SELECT number, parent, name FROM node"
                    )
                }
                layers = dict(database.execute("SELECT number, node FROM layer"))
                facts = dict(database.execute("SELECT name, value FROM fact"))
                whiteouts = database.execute("SELECT parent, name FROM whiteout").fetchall()
            assert "plan" not in facts
            assert facts["base_commit"] == self.base
            kept = {layer: path_of(node, nodes) for layer, node in layers.items()}
            assert all(is_local(path) for path in kept.values()), kept
            assert {int(path.name) for path in (workspace / "staging").iterdir()} <= set(layers)
            gone = [f"{path_of(node, nodes)}/{name.decode()}" for node, name in whiteouts]
            assert all(is_local(path) for path in gone), gone

    @contextlib.contextmanager
    def scratch(self):
        folder = self.folder / f"look-{self.looks}"
        folder.mkdir()
        yield folder
        shutil.rmtree(folder)


def path_of(node: int, nodes: dict[int, tuple[int, str]]) -> str:
    names = []
    while nodes[node][0] != 0:
        node, name = nodes[node]
        names.append(name)
    return "/".join(reversed(names))
