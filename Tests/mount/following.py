"""A mount that follows its branch, and somebody who commits to it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from published import Published

# The mount then moves when it is told to pull, and at no other time.
NEVER = "--follow=3600"


class Branch:
    """A repo's main branch and a mount of it."""

    def __init__(self, published: Published, mount):
        self.published = published
        self.mount = mount

    @property
    def path(self) -> Path:
        return self.mount.path

    def commit(
        self, add: dict[str, bytes] | None = None, delete: tuple[str, ...] = ()
    ) -> str:
        """Commits elsewhere; a path that ends with a slash is a folder."""
        operations = [CommitOperationAdd(path, data) for path, data in (add or {}).items()]
        operations += [CommitOperationDelete(path) for path in delete]
        return self.published.api.create_commit(
            self.published.id, operations, commit_message="foreign"
        ).oid

    def pull(self) -> str:
        """Has the mount go to the head; gives the commit it says it shows."""
        return self.mount.run("pull", self.mount.path).stdout.strip()

    def go(self, add: dict[str, bytes] | None = None, delete: tuple[str, ...] = ()) -> str:
        """Commits and pulls."""
        commit = self.commit(add, delete)
        assert self.pull() == commit == self.shown
        return commit

    @property
    def shown(self) -> str:
        """The commit that the mount says it shows."""
        return os.getxattr(self.mount.path, "user.hubfs.commit").decode()

    @property
    def status(self) -> dict:
        return json.loads(self.mount.run("status", "--json", self.mount.path).stdout)["mounts"][0]

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{self.status}\n{self.mount.log()}"
            time.sleep(0.02)
