"""`--branch`: where commits go, and the way back."""

from __future__ import annotations

import json

import pytest
from foreign import Repo, shown
from huggingface_hub import HfApi

FILES = {"config.json": b'{"a": 1}\n', "notes.txt": b"notes\n", "folder/one.txt": b"one\n"}
NOT_FOUND, CONFLICT, USAGE = 3, 13, 2


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")


def branches(repo) -> set[str]:
    return {ref.name for ref in repo.api.list_repo_refs(repo.name).branches}


def on(repo, ref: str, path: str) -> str:
    return repo.git("show", f"{ref}:{path}")


def edits(mount) -> dict:
    return json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]


def test_a_branch_is_made_if_that_is_asked(repo, mount):
    head = repo.head()
    (mount.path / "config.json").write_bytes(b"mine\n")
    done = mount.run("commit", mount.path, "--branch", "feature/x", check=False)
    assert done.returncode == NOT_FOUND and "--create-branch" in done.stderr
    assert branches(repo) == {"main"}
    done = mount.run("commit", mount.path, "--branch", "feature/x", "--create-branch")
    assert done.stdout.strip().endswith("on feature/x")
    assert branches(repo) == {"main", "feature/x"} and repo.head() == head
    assert on(repo, "feature/x", "config.json") == "mine\n"
    assert repo.git("rev-parse", "feature/x^").strip() == head
    # All later commits go there.
    (mount.path / "notes.txt").write_bytes(b"more\n")
    mount.run("commit", mount.path)
    assert on(repo, "feature/x", "notes.txt") == "more\n" and repo.head() == head
    assert mount.unmount() == 0
    mount.restart()
    mount.wait_for_log("commits go to feature/x; hubfs commit --branch main goes back")
    assert "feature/x; hubfs commit --branch main" in mount.run("status", mount.path).stdout
    assert edits(mount)["ref"] == "feature/x"
    assert (mount.path / "notes.txt").read_bytes() == b"more\n"


def test_back_to_the_mounted_branch(repo, mount):
    (mount.path / "config.json").write_bytes(b"mine\n")
    mount.run("commit", mount.path, "--create-pr")
    main = repo.commit({"folder/one.txt": b"theirs\n"})
    done = mount.run("commit", mount.path, "--branch", "main")
    assert main in done.stdout and "on main" in done.stdout
    # The pull request has the edit, and main does not.
    assert (mount.path / "config.json").read_bytes() == FILES["config.json"]
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    assert on(repo, "refs/pr/1", "config.json") == "mine\n"
    (mount.path / "notes.txt").write_bytes(b"more\n")
    mount.run("commit", mount.path)
    assert repo.text("notes.txt") == "more\n" and repo.git("rev-parse", "main^").strip() == main
    mount.run("commit", mount.path, "--branch", "refs/pr/1")
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert (mount.path / "notes.txt").read_bytes() == FILES["notes.txt"]


def test_edits_go_along(repo, mount):
    repo.api.create_branch(repo.name, branch="dev")
    api = HfApi(endpoint=repo.api.endpoint, token=repo.api.token)
    api.upload_file(path_or_fileobj=b"dev\n", path_in_repo="notes.txt", repo_id=repo.name,
                    revision="dev")
    (mount.path / "config.json").write_bytes(b"mine\n")
    mount.run("commit", mount.path, "--branch", "dev", "-m", "mine")
    assert on(repo, "dev", "config.json") == "mine\n" and on(repo, "dev", "notes.txt") == "dev\n"
    assert (mount.path / "notes.txt").read_bytes() == b"dev\n"
    assert "config.json" in repo.text("config.json") or repo.titles()[0] != "mine"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_branch_with_something_else_at_an_edited_path(repo, mount, side):
    repo.api.create_branch(repo.name, branch="dev")
    repo.api.upload_file(path_or_fileobj=b"dev\n", path_in_repo="config.json", repo_id=repo.name,
                         revision="dev")
    (mount.path / "config.json").write_bytes(b"mine\n")
    (mount.path / "notes.txt").write_bytes(b"more\n")
    done = mount.run("commit", mount.path, "--branch", "dev", check=False)
    assert done.returncode == CONFLICT and "config.json" in done.stderr
    # Commits go where they went before, until somebody decides.
    assert edits(mount)["ref"] == "main"
    mount.run("resolve", mount.path / "config.json", f"--{side}")
    assert edits(mount)["ref"] == "dev"
    mount.run("commit", mount.path)
    assert on(repo, "dev", "config.json") == ("mine\n" if side == "ours" else "dev\n")
    assert on(repo, "dev", "notes.txt") == "more\n"
    assert repo.text("notes.txt") == FILES["notes.txt"].decode()


def test_at_mount(repo, new_editable_mount):
    with pytest.raises(RuntimeError, match="no branch dev; --create-branch"):
        new_editable_mount(f"hf://{repo.name}", "-w", "--branch", "dev")
    head = repo.head()
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--branch", "dev", "--create-branch")
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert mount.unmount() == 0
    assert on(repo, "dev", "config.json") == "mine\n" and repo.head() == head
    # It is there now: the same command goes on with it.
    mount.restart()
    assert (mount.path / "config.json").read_bytes() == b"mine\n"
    assert mount.unmount() == 0
    mount.start(f"hf://{repo.name}", "-w", "--branch", "main")
    assert (mount.path / "config.json").read_bytes() == FILES["config.json"]
    assert shown(mount) == repo.paths()


def test_a_mount_that_opens_a_pull_request_opens_one(repo, new_editable_mount):
    mount = new_editable_mount(f"hf://{repo.name}", "-w", "--create-pr")
    for text in (b"first\n", b"second\n"):
        (mount.path / "config.json").write_bytes(text)
        assert "refs/pr/1" in mount.run("commit", mount.path).stdout
    assert on(repo, "refs/pr/1", "config.json") == "second\n"
    assert len(list(repo.api.get_repo_discussions(repo.name))) == 1


def test_options_that_do_not_go_together(mount):
    for words in (["--create-branch"], ["--branch", "dev", "--create-pr"]):
        assert mount.run("commit", mount.path, *words, check=False).returncode == USAGE
