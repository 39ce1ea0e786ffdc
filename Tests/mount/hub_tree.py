"""Accounts and repos for the tests of the whole Hub's tree."""

from __future__ import annotations

import itertools
import json
import time

import wire

_numbers = itertools.count(1)


class Account:
    """An account of one test's own on the local Hub, with repos in it."""

    def __init__(self, hub, token: str):
        self.hub = hub
        self.token = token
        self.name = f"org{next(_numbers)}"

    def create(
        self, name: str, *, kind: str = "model", private: bool = False,
        files: dict[str, str] | None = None, sdk: str | None = None,
    ) -> str:  # fmt: skip
        """Makes a repo by the Hub's API. Returns its id."""
        listed = [
            {"path": path, "content": text, "encoding": "utf-8"}
            for path, text in (files or {}).items()
        ]
        body = {
            "name": name, "organization": self.name, "type": kind, "private": private,
            "files": listed,
        }  # fmt: skip
        if sdk:
            body["sdk"] = sdk
        answer = self.ask("POST", "/api/repos/create", json_body=body)
        assert answer.status == 200, answer.body
        return f"{self.name}/{name}"

    def delete(self, name: str) -> None:
        body = {"name": name, "organization": self.name}
        assert self.ask("DELETE", "/api/repos/delete", json_body=body).status == 200

    def tag(self, name: str, tag: str) -> None:
        url = f"/api/models/{self.name}/{name}/tag/main"
        assert self.ask("POST", url, json_body={"tag": tag}).status == 200

    def commit(self, name: str, path: str, text: str, revision: str = "main") -> str:
        """Commits one file. Returns the commit."""
        body = wire.ndjson(
            {"key": "header", "value": {"summary": "A change", "description": ""}},
            {"key": "file", "value": {"path": path, "content": text, "encoding": "utf-8"}},
        )
        answer = self.ask(
            "POST", f"/api/models/{self.name}/{name}/commit/{revision}", body=body,
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        assert answer.status == 200, answer.body
        return answer.json()["commitOid"]

    def open_pull_request(self, name: str) -> int:
        body = {"title": "A proposal", "description": "", "pullRequest": True}
        answer = self.ask("POST", f"/api/models/{self.name}/{name}/discussions", json_body=body)
        assert answer.status == 200, answer.body
        return answer.json()["num"]

    def ask(self, method: str, path: str, **options) -> wire.Answer:
        url = self.hub.address.endpoint + path
        return wire.request(method, url, token=self.token, **options)


def open_repos(mount) -> list[str]:
    """The repos that a mount of the whole Hub has open, by their paths."""
    text = mount.run("status", "--json", mount.path).stdout
    [status] = json.loads(text)["mounts"]
    return [repo["path"] for repo in status["tree"]["openRepos"]]


def wait_until(condition, seconds: float = 30) -> None:
    """Waits for what happens by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
