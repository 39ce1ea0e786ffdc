"""A repo to which others commit as well, through the official client."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi


class Repo:
    """A repo as others see it: through the official client, and in git."""

    def __init__(self, hub, name: str, token: str):
        self.name = name
        self.folder = hub.root / "models" / f"{name}.git"
        self.api = HfApi(endpoint=hub.address.endpoint, token=token)

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-c", "safe.directory=*", "--git-dir", self.folder, *words],
            check=True, capture_output=True, text=True, timeout=60,
        ).stdout

    def titles(self) -> list[str]:
        return self.git("log", "--format=%s", "main").splitlines()

    def head(self) -> str:
        return self.git("rev-parse", "main").strip()

    def text(self, path: str) -> str:
        return self.git("show", f"main:{path}")

    def paths(self) -> set[str]:
        return set(self.git("ls-tree", "-r", "--name-only", "main").splitlines())

    def commit(self, files: dict[str, bytes | None], title: str = "foreign") -> str:
        operations = [
            CommitOperationDelete(path) if data is None else CommitOperationAdd(path, data)
            for path, data in files.items()
        ]
        return self.api.create_commit(self.name, operations, commit_message=title).oid


def shown(mount) -> set[str]:
    """Paths of the files a mount shows."""
    return {
        str(Path(folder, name).relative_to(mount.path))
        for folder, _, names in os.walk(mount.path)
        for name in names
    }
