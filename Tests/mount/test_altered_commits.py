"""The Hub takes a commit and has something else in it than was sent: it counts as somebody else's.

Nothing is lost, nothing is sent over it unasked, and no later commit is held up.
"""

from __future__ import annotations

import json

import pytest
from altering import Gateway
from conftest import mounts
from foreign import Repo, shown

FILES = {"config.json": b'{"a": 1}\n', "notes.txt": b"notes\n", "folder/one.txt": b"one\n"}
REFUSED, CONFLICT = 14, 13


@pytest.fixture
def gateway(hub):
    with Gateway(hub.address.endpoint) as gateway:
        yield gateway


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, gateway, hub, tmp_path, write_token):
    with mounts(hub, tmp_path, write_token) as make:
        mount = make(f"hf://{repo.name}", start=False)
        mount.environment["HF_ENDPOINT"] = gateway.endpoint
        yield mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")


def conflicts(mount) -> dict[str, str]:
    edits = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]
    return {item["path"]: item["theirs"] for item in edits["conflicts"]}


def edit(mount) -> None:
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").write_bytes(b"my notes\n")
    (mount.path / "new.txt").write_bytes(b"new\n")
    (mount.path / "folder/one.txt").unlink()


def altered(repo, gateway, mount, replacement: bytes | None) -> str:
    """A commit of which the Hub makes something else at one path."""
    edit(mount)
    gateway.replacements = {"config.json": replacement}
    before = repo.head()
    done = mount.run("commit", mount.path, "-m", "mine", check=False)
    gateway.replacements = {}
    assert done.returncode == REFUSED, done.stderr
    assert repo.head() in done.stderr and "config.json" in done.stderr
    assert "notes.txt" not in done.stderr and "hubfs resolve" in done.stderr
    assert repo.git("rev-parse", "main^").strip() == before
    # Every edit is one still.
    assert shown(mount) == {"config.json", "notes.txt", "new.txt"} | repo.paths() - {"config.json"}
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    return repo.head()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_it_is_decided_like_a_conflict(repo, gateway, mount, side):
    head = altered(repo, gateway, mount, b"altered\n")
    assert conflicts(mount) == {"config.json": "file"}
    mount.run("resolve", mount.path / "config.json", f"--{side}")
    assert conflicts(mount) == {}
    mount.run("commit", mount.path, "-m", "again")
    if side == "ours":
        assert repo.titles()[:2] == ["again", "mine"]
        assert repo.git("show", "--format=", "--name-only", "main").split() == ["config.json"]
        assert repo.text("config.json") == "mine\n"
    else:
        # The Hub has everything else already.
        assert repo.head() == head
        assert (mount.path / "config.json").read_bytes() == b"altered\n"
        assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"
    assert repo.text("notes.txt") == "my notes\n" and "folder/one.txt" not in repo.paths()


def test_the_next_commit_overwrites_nothing_unasked(repo, gateway, mount):
    head = altered(repo, gateway, mount, b"altered\n")
    (mount.path / "later.txt").write_bytes(b"later\n")
    assert mount.run("commit", mount.path, check=False).returncode == CONFLICT
    assert repo.head() == head
    mount.run("commit", mount.path, "--on-conflict", "ours", "-m", "ours")
    assert repo.git("rev-parse", "main^").strip() == head
    assert set(repo.git("show", "--format=", "--name-only", "main").split()) == {
        "config.json", "later.txt"}
    assert repo.text("config.json") == "mine\n"


def test_it_is_known_after_a_crash(repo, gateway, mount):
    altered(repo, gateway, mount, b"altered\n")
    mount.kill()
    mount.restart()
    assert conflicts(mount) == {"config.json": "file"}
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    mount.run("resolve", mount.path, "--ours")
    mount.run("commit", mount.path)
    assert repo.text("config.json") == "mine\n"


def test_what_the_hub_left_out_is_sent_again(repo, gateway, mount):
    head = altered(repo, gateway, mount, None)
    mount.run("commit", mount.path, "-m", "again")
    assert repo.git("rev-parse", "main^").strip() == head
    assert repo.git("show", "--format=", "--name-only", "main").split() == ["config.json"]
    assert repo.text("config.json") == "mine\n"
    assert shown(mount) == repo.paths()


def test_in_a_new_pull_request(repo, gateway, mount):
    main = repo.head()
    (mount.path / "config.json").write_bytes(b"mine\n")
    gateway.replacements = {"config.json": b"altered\n"}
    assert mount.run("commit", mount.path, "--create-pr", check=False).returncode == REFUSED
    gateway.replacements = {}
    mount.run("resolve", mount.path, "--ours")
    mount.run("commit", mount.path, "--create-pr")
    assert repo.head() == main
    assert repo.git("show", "refs/pr/1:config.json") == "mine\n"
    assert len(list(repo.api.get_repo_discussions(repo.name))) == 1
