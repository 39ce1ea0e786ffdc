"""A repo as the judges handle it: its id, its addresses, and git's view of it."""

from __future__ import annotations

from dataclasses import dataclass

from gitview import GitView


@dataclass(frozen=True)
class Repo:
    """A repo made for a test."""

    id: str
    type: str
    git: GitView
    endpoint: str

    @property
    def api_url(self) -> str:
        """What the API's paths about this repo begin with."""
        return f"{self.endpoint}/api/{self.type}s/{self.id}"

    @property
    def web_url(self) -> str:
        """The repo's page, below which `resolve` and `raw` lie."""
        return f"{self.endpoint}/{self.fs_path}"

    @property
    def fs_path(self) -> str:
        """The repo's folder in HfFileSystem."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"
