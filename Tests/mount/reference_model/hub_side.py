"""The Hub's side of the model: the branch as git has it, and what others do to it."""

from __future__ import annotations

import hashlib
import random
import subprocess
from pathlib import Path

from gitview import POINTER_VERSION, GitView
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from .shared import Content

# Titles of commits that the mount did not make.
FOREIGN = "foreign"


class HubSide:
    """One branch."""

    def __init__(self, root: Path, endpoint: str, token: str, repo: str):
        self.repo = repo
        self.git = GitView(root / f"models/{repo}.git")
        self.api = HfApi(endpoint=endpoint, token=token)
        self.contents: dict[str, Content] = {}
        self.trees: dict[str, dict[str, Content]] = {}

    @property
    def head(self) -> str:
        return self.git.rev()

    def tree(self, commit: str) -> dict[str, Content]:
        """Every file of a commit; files in LFS by what their pointers say."""
        if commit not in self.trees:
            entries = {
                path: entry.oid
                for path, entry in self.git.tree(commit).items()
                if entry.kind == "blob"
            }
            self.learn(set(entries.values()) - self.contents.keys())
            self.trees[commit] = {path: self.contents[oid] for path, oid in entries.items()}
        return self.trees[commit]

    def learn(self, oids: set[str]) -> None:
        """Reads blobs. Source: git cat-file(1), "BATCH OUTPUT"."""
        if not oids:
            return
        output = subprocess.run(
            ["git", "--git-dir", self.git.path, "cat-file", "--batch"],
            input="".join(oid + "\n" for oid in oids).encode(),
            check=True, capture_output=True, timeout=60,
        ).stdout  # fmt: skip
        while output:
            head, _, output = output.partition(b"\n")
            oid, _, size = head.decode().split()
            data, output = output[: int(size)], output[int(size) + 1 :]
            self.contents[oid] = content_of_blob(data)

    def commits_since(self, commit: str) -> list[tuple[str, str]]:
        """Numbers and titles of the commits after one, oldest first."""
        lines = self.git.run("log", "--reverse", "--format=%H %s", f"{commit}..main").decode()
        return [tuple(line.split(" ", 1)) for line in lines.splitlines()]

    def parent(self, commit: str) -> str:
        return self.git.rev(f"{commit}^")

    def dates(self) -> set[int]:
        """When the commits were made, in nanoseconds."""
        return {int(line) * 10**9 for line in self.git.run("log", "--format=%ct").split()}

    def commit(self, changes: dict[str, bytes | None]) -> str:
        """Somebody else's commit, by the official client."""
        operations = [
            CommitOperationDelete(path) if data is None else CommitOperationAdd(path, data)
            for path, data in changes.items()
        ]
        return self.api.create_commit(self.repo, operations, commit_message=FOREIGN).oid

    def invent(
        self, seed: int, free: list[str], disputed: list[str], folders: list[str]
    ) -> dict[str, bytes | None]:
        """Changes that others could make.

        - free: files that are the same here and there
        - disputed: paths that were changed here
        - folders: where a file can be added
        """
        dice = random.Random(seed)
        changes: dict[str, bytes | None] = {}
        for _ in range(dice.randrange(1, 4)):
            data = dice.randbytes(dice.choice([0, 5, 70_000]))
            kind = dice.random()
            if disputed and kind < 0.25:
                changes[dice.choice(disputed)] = data
            elif free and kind < 0.55:
                changes[dice.choice(free)] = data if dice.random() < 0.7 else None
            else:
                folder = dice.choice([*folders, "", f"theirs-{seed % 7}", "a", "b", "c/d"])
                name = f"theirs-{dice.randrange(100)}" + dice.choice([".txt", ".bin"])
                changes[f"{folder}/{name}".lstrip("/")] = data
        return changes


def invent_in_the_way(seed: int, places: list[str]) -> dict[str, bytes | None]:
    """Changes that others could make at or below a path where something stands that is only here."""
    dice = random.Random(seed)
    if not places or dice.random() < 0.6:
        return {}
    place = dice.choice(places)
    if dice.random() < 0.5:
        place += f"/theirs-{dice.randrange(100)}.txt"
    return {place: dice.randbytes(dice.choice([0, 5, 70_000]))}


def content_of_blob(data: bytes) -> Content:
    if data.startswith(f"version {POINTER_VERSION}\n".encode()):
        fields = dict(line.split(" ", 1) for line in data.decode().splitlines())
        return fields["oid"].removeprefix("sha256:"), int(fields["size"])
    return hashlib.sha256(data).hexdigest(), len(data)
