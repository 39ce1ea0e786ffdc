"""The daemon dies, or an answer is lost, while conflicts are decided and while branches and pull
requests are made: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import signal

import pytest
from foreign import Repo, shown
from huggingface_hub import CommitOperationAdd
from mounting import detach

FILES = {"config.json": b'{"a": 1}\n', "notes.txt": b"notes\n", "folder/one.txt": b"one\n"}
CONFLICT = 13
# Answers that do not come though the Hub did what was asked.
LOST = {
    "answer lost": ("--lose-answer",),
    "late status": ("--late-status", 504),
}


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    mount = new_editable_mount(f"hf://{repo.name}", start=False)
    mount.environment["HUBFS_WAIT_FACTOR"] = "0.02"
    return mount


def start(repo, mount, point: str | None = None) -> None:
    mount.environment.pop("HUBFS_CRASH_AT", None)
    if point:
        mount.environment["HUBFS_CRASH_AT"] = point
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")


def dies(mount, *command: object) -> None:
    assert mount.run(*command, check=False).returncode != 0
    assert mount.wait() == -signal.SIGKILL, mount.log()
    detach(mount.path)


def edits(mount) -> dict:
    return json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"][0]["edits"]


def conflicts(mount) -> list[str]:
    return [item["path"] for item in edits(mount)["conflicts"]]


def branches(repo) -> set[str]:
    return {ref.name for ref in repo.api.list_repo_refs(repo.name).branches}


def pull_requests(repo) -> int:
    return len(list(repo.api.get_repo_discussions(repo.name)))


# Conflicts.


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("point", ["resolving", "move-journalled", "resolved"])
def test_a_resolve_that_dies_is_done_or_is_not(repo, mount, point, side):
    start(repo, mount, point)
    for path in ("config.json", "notes.txt"):
        (mount.path / path).write_bytes(b"mine\n")
    repo.commit({path: b"theirs\n" for path in FILES})
    assert mount.run("commit", mount.path, check=False).returncode == CONFLICT
    dies(mount, "resolve", mount.path / "config.json", f"--{side}")
    start(repo, mount)
    if point == "resolving":
        assert conflicts(mount) == ["config.json", "notes.txt"]
        assert (mount.path / "config.json").read_bytes() == b"mine\n"
        mount.run("resolve", mount.path / "config.json", f"--{side}")
    assert conflicts(mount) == ["notes.txt"]
    assert (mount.path / "folder/one.txt").read_bytes() == b"theirs\n"
    assert (mount.path / "notes.txt").read_bytes() == b"mine\n"
    assert (mount.path / "config.json.hubfs-ours").exists() == (side == "theirs")
    mount.run("resolve", mount.path, "--ours")
    mount.run("commit", mount.path)
    assert repo.text("config.json") == ("mine\n" if side == "ours" else "theirs\n")
    assert repo.text("notes.txt") == "mine\n" and repo.text("folder/one.txt") == "theirs\n"
    if side == "theirs":
        assert (mount.path / "config.json.hubfs-ours").read_bytes() == b"mine\n"


@pytest.mark.parametrize("point", ["move-journalled", "resolved"])
def test_a_resolve_on_another_branch_follows_it_after_a_crash(repo, mount, point):
    repo.api.create_branch(repo.name, branch="dev")
    repo.api.upload_file(path_or_fileobj=b"dev\n", path_in_repo="config.json", repo_id=repo.name,
                         revision="dev")
    start(repo, mount, point)
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert mount.run("commit", mount.path, "--branch", "dev", check=False).returncode == CONFLICT
    dies(mount, "resolve", mount.path, "--ours")
    start(repo, mount)
    assert edits(mount)["ref"] == "dev" and conflicts(mount) == []
    head = repo.head()
    mount.run("commit", mount.path)
    assert repo.git("show", "dev:config.json") == "mine\n" and repo.head() == head


# Branches.


@pytest.mark.parametrize("point", ["branch-made", "followed", "planned", "posted"])
def test_a_new_branch_is_made_once(repo, mount, point):
    head = repo.head()
    start(repo, mount, point)
    (mount.path / "config.json").write_bytes(b"mine\n")
    words = ("commit", mount.path, "--branch", "dev", "--create-branch", "-m", "mine")
    dies(mount, *words)
    start(repo, mount)
    assert edits(mount)["ref"] == ("main" if point == "branch-made" else "dev")
    mount.run(*words)
    assert branches(repo) == {"main", "dev"} and repo.head() == head
    assert repo.git("log", "--format=%s", f"{head}..dev").splitlines() == ["mine"]


@pytest.mark.parametrize("fault", LOST)
def test_a_new_branch_whose_answer_is_lost(hub, repo, mount, fault):
    start(repo, mount)
    (mount.path / "config.json").write_bytes(b"mine\n")
    hub.add_fault(*LOST[fault], "--path", "*/branch/*", "--count", 1)
    mount.run("commit", mount.path, "--branch", "dev", "--create-branch")
    assert hub.faults()[0]["fired"] == 1
    assert repo.git("show", "dev:config.json") == "mine\n"


@pytest.mark.parametrize("policy", ["branch", "pr"])
@pytest.mark.parametrize("point", ["branch-made", "followed", "posted"])
def test_a_conflict_that_goes_elsewhere_dies(repo, mount, policy, point):
    if (policy, point) == ("pr", "branch-made"):
        point = "planned:2"
    start(repo, mount, point if (policy, point) != ("branch", "posted") else "posted:2")
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"config.json": b"theirs\n"})
    words = ("commit", mount.path, "--on-conflict", policy, "-m", "mine")
    dies(mount, *words)
    start(repo, mount)
    mount.run(*words)
    assert repo.text("config.json") == "theirs\n"
    ref = edits(mount)["ref"]
    assert repo.git("show", f"{ref}:config.json") == "mine\n"
    assert (len(branches(repo)), pull_requests(repo)) == ((2, 0) if policy == "branch" else (1, 1))


# Pull requests.


@pytest.mark.parametrize("point", ["planned", "posted", "answered", "followed", "settled"])
def test_a_pull_request_is_opened_once(repo, mount, point):
    head = repo.head()
    start(repo, mount, point)
    (mount.path / "config.json").write_bytes(b"mine\n")
    dies(mount, "commit", mount.path, "--create-pr", "-m", "mine")
    start(repo, mount)
    mount.run("commit", mount.path, "--create-pr", "-m", "mine")
    assert pull_requests(repo) == 1 and repo.head() == head
    assert edits(mount)["ref"] == "refs/pr/1"
    assert repo.git("log", "--format=%s", f"{head}..refs/pr/1").splitlines() == ["mine"]


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("title", ["mine", "mine\nand more\n\nof it"])
def test_a_pull_request_whose_answer_is_lost(hub, repo, mount, fault, title):
    start(repo, mount)
    (mount.path / "config.json").write_bytes(b"mine\n")
    hub.add_fault(*LOST[fault], "--to", "commit", "--count", 1)
    mount.run("commit", mount.path, "--create-pr", "-m", title)
    assert hub.faults()[0]["fired"] == 1
    assert pull_requests(repo) == 1
    assert edits(mount)["ref"] == "refs/pr/1"
    assert repo.git("show", "refs/pr/1:config.json") == "mine\n"


def test_a_pull_request_is_looked_for_again_before_a_second_is_opened(hub, repo, mount):
    """The Hub could not be asked at first."""
    start(repo, mount)
    (mount.path / "config.json").write_bytes(b"mine\n")
    hub.add_fault("--lose-answer", "--to", "commit", "--count", 1)
    hub.add_fault("--status", 500, "--path", "*/refs*", "--count", 30)
    assert mount.run("commit", mount.path, "--create-pr", check=False).returncode == 5
    hub.clear_faults()
    mount.run("commit", mount.path, "--create-pr")
    assert pull_requests(repo) == 1 and edits(mount)["ref"] == "refs/pr/1"


def test_a_pull_request_of_others_with_the_same_contents_is_theirs(hub, repo, mount):
    start(repo, mount)
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.api.create_commit(
        repo.name, [CommitOperationAdd("config.json", b"mine\n")], commit_message="theirs",
        create_pr=True)
    hub.add_fault("--reset-upload", 20, "--to", "commit", "--count", 1)
    mount.run("commit", mount.path, "--create-pr", "-m", "mine")
    assert pull_requests(repo) == 2 and edits(mount)["ref"] == "refs/pr/2"
    assert shown(mount) == repo.paths()
