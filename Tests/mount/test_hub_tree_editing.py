"""The whole Hub as a tree that is edited: a workspace and a commit for each repo the token may write."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from contents import errno_of
from hub_tree import open_repos, wait_until


# Exit codes, docs/ERRORS.md.
USAGE, NOT_FOUND, TIMED_OUT, CONFLICT = 2, 3, 12, 13


@pytest.fixture
def token(hub, account) -> str:
    """For somebody who may write what the account has, and nothing else."""
    return hub.create_token(account.name, "write", namespaces=account.name)


@pytest.fixture
def new_tree(new_mount, token):
    """Makes editable mounts of the whole Hub for that somebody."""

    def make(*options: object, **settings):
        mount = new_mount("hf://", start=False, **settings)
        mount.environment["HF_TOKEN"] = token
        return mount.start("hf://", "-w", *options)

    return make


def commits(account, name: str, revision: str = "main") -> list[str]:
    """Titles of a repo's commits, the newest first; the one that made it left out."""
    answer = account.ask("GET", f"/api/models/{account.name}/{name}/commits/{revision}")
    return [row["title"] for row in answer.json()][:-1]


def text(account, name: str, path: str, revision: str = "main") -> bytes | None:
    """A file as the Hub has it; None for none."""
    url = f"{account.hub.address.endpoint}/{account.name}/{name}/resolve/{revision}/{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {account.token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def status(mount) -> dict:
    [status] = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"]
    return status


def repos(mount) -> dict[str, dict]:
    return {repo["path"]: repo for repo in status(mount)["tree"]["openRepos"]}


# What can be edited, and what cannot.


def test_each_repo_gets_a_commit_of_its_own(account, model, new_tree):
    account.create("other", files={"b.txt": "b\n"})
    before = commits(account, "model"), commits(account, "other")
    mount = new_tree()
    place = mount.path / "models" / account.name
    (place / "model/config.json").write_text('{"v": 2}\n')
    (place / "model/new.txt").write_text("new\n")
    os.rename(place / "model/sub/a.txt", place / "model/a.txt")
    (place / "other/b.txt").unlink()
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b'{"v": 2}\n'
    assert text(account, "model", "new.txt") == b"new\n"
    assert text(account, "model", "a.txt") == b"a\n"
    assert text(account, "model", "sub/a.txt") is None
    assert text(account, "other", "b.txt") is None
    for name, titles in zip(("model", "other"), before, strict=True):
        assert len(commits(account, name)) == len(titles) + 1


def test_what_nobody_edited_gets_no_commit(hub, account, model, new_tree):
    before = commits(account, "model")
    mount = new_tree()
    assert (mount.path / "models" / model / "config.json").read_text() == "{}\n"
    assert mount.unmount() == 0
    assert commits(account, "model") == before


def test_repos_of_others_are_read_only(hub, account, new_tree, import_repo):
    stranger = import_repo({"a.txt": b"a\n", "d/b.txt": b"b\n"})
    tree = new_tree().path
    folder = tree / "models" / stranger
    assert (folder / "a.txt").read_bytes() == b"a\n"
    for change in (
        lambda: (folder / "new.txt").touch(),
        lambda: (folder / "a.txt").write_text("no"),
        lambda: (folder / "a.txt").unlink(),
        lambda: (folder / "d").rmdir(),
        lambda: (folder / "new").mkdir(),
        lambda: os.rename(folder / "a.txt", folder / "b.txt"),
        lambda: os.truncate(folder / "a.txt", 0),
        lambda: os.chmod(folder / "a.txt", 0o600),
        lambda: os.symlink("a.txt", folder / "link"),
        lambda: os.setxattr(folder / "a.txt", "user.a", b"1"),
    ):
        assert errno_of(change) == errno.EROFS
    # What is only read can be flushed and synced.
    with (folder / "a.txt").open("rb") as file:
        os.fsync(file.fileno())
    assert not os.stat(folder / "a.txt").st_mode & 0o222


def test_accounts_and_repos_are_not_made_here(account, model, new_tree):
    tree = new_tree().path
    place = tree / "models" / account.name
    for change in (
        lambda: (place / "new").mkdir(),
        lambda: (tree / "models/nobody").mkdir(),
        lambda: (tree / "file.txt").write_text("no"),
        lambda: os.rename(place / "model", place / "renamed"),
        lambda: (place / "model").rmdir(),
        lambda: os.rename(place / "model/config.json", place / "config.json"),
        lambda: os.symlink("model", place / "link"),
    ):
        assert errno_of(change) == errno.EPERM
    assert (place / "model/config.json").exists()


def test_a_token_that_may_only_read_is_told_so(hub, account, model, new_mount):
    mount = new_mount("hf://", start=False)
    mount.environment["HF_TOKEN"] = hub.create_token(
        account.name, "read", namespaces=account.name
    )
    mount.start("hf://", "-w")
    file = mount.path / "models" / model / "config.json"
    assert errno_of(lambda: file.write_text("no")) == errno.EROFS
    repo = repos(mount)[f"models/{model}"]
    assert repo["editable"] is False
    assert "does not let this token commit" in repo["obstacle"]
    assert "read only: the Hub does not let" in mount.run("status", mount.path).stdout


def test_a_hub_that_does_not_know_the_token_leaves_all_read_only(hub, account, model, new_tree):
    mount = new_tree()
    hub.add_fault("--status", 500, "--to", "whoami")
    file = mount.path / "models" / model / "config.json"
    assert file.read_text() == "{}\n"
    assert errno_of(lambda: file.write_text("no")) == errno.EROFS
    assert "whose the token is" in repos(mount)[f"models/{model}"]["obstacle"]


def test_branches_are_edited_side_by_side_and_tags_are_not(account, model, new_tree):
    url = f"/api/models/{model}/branch/dev"
    assert account.ask("POST", url, json_body={"startingPoint": "main"}).status == 200
    account.tag("model", "v1")
    number = account.open_pull_request("model")
    mount = new_tree()
    place = mount.path / "models" / account.name
    proposal = f"refs/pr/{number}"
    (place / "model/config.json").write_text("main\n")
    (place / "model@dev/config.json").write_text("dev\n")
    (place / f"model@{proposal.replace('/', '%2F')}" / "config.json").write_text("proposed\n")
    tagged = place / "model@v1/config.json"
    assert errno_of(lambda: tagged.write_text("no")) == errno.EROFS
    numbers = {os.stat(place / name / "sub").st_ino for name in ("model", "model@dev", "model@v1")}
    assert len(numbers) == 3
    assert tagged.read_text() == "{}\n"
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b"main\n"
    assert text(account, "model", "config.json", "dev") == b"dev\n"
    assert text(account, "model", "config.json", proposal.replace("/", "%2F")) == b"proposed\n"
    assert text(account, "model", "config.json", "v1") == b"{}\n"


# Files.


def test_between_repos_files_are_copied(account, model, new_tree, import_repo):
    stranger = import_repo({"theirs.bin": os.urandom(1 << 20)})
    account.create("other")
    mount = new_tree()
    place = mount.path / "models" / account.name
    theirs = mount.path / "models" / stranger / "theirs.bin"
    source, target = place / "model/config.json", place / "other/config.json"
    assert errno_of(lambda: os.rename(source, target)) == errno.EXDEV
    moved = subprocess.run(["mv", source, target], capture_output=True, text=True, timeout=60)
    assert (moved.returncode, moved.stderr) == (0, "")
    shutil.copyfile(theirs, place / "other/copy.bin")
    with theirs.open("rb") as reader, (place / "other/range.bin").open("wb") as writer:
        assert os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 20) == 1 << 20
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") is None
    assert text(account, "other", "config.json") == b"{}\n"
    for name in ("copy.bin", "range.bin"):
        assert text(account, "other", name) is not None


def test_every_operation_reaches_its_repo(account, model, new_tree):
    mount = new_tree()
    folder = mount.path / "models" / model
    (folder / "d/e").mkdir(parents=True)
    with (folder / "d/e/file.bin").open("w+b") as file:
        file.write(b"x" * 10_000)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, 20_000)
        os.ftruncate(file.fileno(), 15_000)
        with mmap.mmap(file.fileno(), 15_000) as memory:
            memory[:5] = b"hello"
            memory.flush()
        os.fsync(file.fileno())
        file.seek(0)
        assert file.read() == b"hello" + b"x" * 9_995 + bytes(5_000)
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
    os.symlink("config.json", folder / "link")
    assert os.readlink(folder / "link") == "config.json"
    assert (folder / "link").read_text() == "{}\n"
    os.chmod(folder / "config.json", 0o600)
    os.utime(folder / "config.json", (1, 1))
    os.setxattr(folder / "config.json", "user.note", b"mine")
    os.mknod(folder / "made")
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    mount.kill()
    mount.restart()
    found = os.stat(folder / "config.json")
    assert (found.st_mode & 0o777, found.st_mtime) == (0o600, 1)
    assert os.getxattr(folder / "config.json", "user.note") == b"mine"
    os.removexattr(folder / "config.json", "user.note")
    assert sorted(os.listdir(folder)) == [
        ".gitattributes", "config.json", "d", "link", "made", "sub",
    ]  # fmt: skip
    assert (folder / "d/e/file.bin").stat().st_size == 15_000
    assert os.statvfs(folder).f_bavail > 0


# What is kept.


def test_edits_outlive_a_killed_daemon(account, model, new_tree):
    account.create("other")
    mount = new_tree()
    place = mount.path / "models" / account.name
    (place / "model/config.json").write_text("edited\n")
    (place / "other/new.txt").write_text("new\n")
    mount.kill()
    mount.restart()
    assert "edits of earlier mounts wait in" in mount.log()
    assert "and 1 more" in mount.log()
    # Used here: committed at the end. The other waits on.
    assert (place / "model/config.json").read_text() == "edited\n"
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b"edited\n"
    assert text(account, "other", "new.txt") is None
    [waiting] = Path(mount.environment["XDG_STATE_HOME"]).glob("hubfs/workspaces/*-other-*")
    mount.run("recover", "--commit", waiting.name)
    assert text(account, "other", "new.txt") == b"new\n"


def test_a_hub_that_is_away_at_the_end_costs_no_edit(hub, account, model, new_tree):
    mount = new_tree()
    place = mount.path / "models" / account.name
    (place / "model/config.json").write_text("edited\n")
    hub.stop()
    try:
        assert (place / "model/config.json").read_text() == "edited\n"
        done = mount.run("umount", "--timeout", 2, mount.path, check=False)
        assert done.returncode == TIMED_OUT
        mount.kill()
    finally:
        hub.start()
    mount.environment["HF_ENDPOINT"] = hub.address.endpoint
    mount.restart()
    assert (place / "model/config.json").read_text() == "edited\n"
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b"edited\n"


def test_one_repo_that_cannot_be_committed_does_not_keep_the_others(account, model, new_tree):
    account.create("other")
    mount = new_tree()
    place = mount.path / "models" / account.name
    (place / "model/config.json").write_text("mine\n")
    (place / "other/new.txt").write_text("new\n")
    account.commit("model", "config.json", "theirs\n")
    done = mount.run("umount", mount.path, check=False)
    assert done.returncode == CONFLICT
    assert f"models/{account.name}/model: " in done.stderr
    assert f"models/{account.name}/other: committed 1 change as " in done.stdout
    assert text(account, "other", "new.txt") == b"new\n"
    assert text(account, "model", "config.json") == b"theirs\n"


def test_every_commit_of_the_end_is_told(account, new_tree):
    """The daemon ends by itself and is asked to by `hubfs umount`: that is one end, and one answer."""
    names = [f"many{number}" for number in range(8)]
    for name in names:
        account.create(name)
    mount = new_tree()
    for turn in range(4):
        for name in names:
            (mount.path / "models" / account.name / name / "new.txt").write_text(f"{turn}\n")
        done = mount.run("umount", mount.path)
        told = sorted(line.split(": ")[0] for line in done.stdout.splitlines())
        assert told == [f"models/{account.name}/{name}" for name in names], done.stdout
        mount.restart()


def test_manual_edits_stay(account, model, new_tree):
    mount = new_tree("--commit", "manual")
    file = mount.path / "models" / model / "config.json"
    file.write_text("edited\n")
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b"{}\n"
    mount.restart()
    assert file.read_text() == "edited\n"
    mount.run("umount", "--discard", mount.path)
    mount.restart()
    assert file.read_text() == "{}\n"


def test_a_workspace_that_another_mount_has_is_left_to_it(
    account, model, new_tree, new_mount, token
):
    mount = new_tree()
    other = new_mount(f"hf://{model}", start=False)
    other.environment["HF_TOKEN"] = token
    other.environment["XDG_STATE_HOME"] = mount.environment["XDG_STATE_HOME"]
    other.start(f"hf://{model}", "-w")
    (other.path / "config.json").write_text("edited there\n")
    file = mount.path / "models" / model / "config.json"
    assert errno_of(lambda: file.write_text("no")) == errno.EROFS
    assert "already mounted for writing" in repos(mount)[f"models/{model}"]["obstacle"]
    assert file.read_text() == "{}\n"


# Dropping.


def test_a_repo_without_edits_is_dropped_and_opened_again(account, model, new_tree, new_mount, token):
    mount = new_tree("--repo-idle", 1)
    file = mount.path / "models" / model / "config.json"
    assert file.read_text() == "{}\n"
    account.commit("model", "config.json", "theirs\n")
    wait_until(lambda: open_repos(mount) == [])
    # Its workspace is free for others.
    other = new_mount(f"hf://{model}", start=False)
    other.environment["HF_TOKEN"] = token
    other.environment["XDG_STATE_HOME"] = mount.environment["XDG_STATE_HOME"]
    other.start(f"hf://{model}", "-w")
    assert other.unmount() == 0
    assert file.read_text() == "theirs\n"
    file.write_text("mine\n")
    assert mount.unmount() == 0
    assert text(account, "model", "config.json") == b"mine\n"


def test_a_repo_with_edits_stays_until_they_are_committed(account, model, new_tree):
    mount = new_tree("--repo-idle", 1)
    account.create("other")
    file = mount.path / "models" / model / "config.json"
    file.write_text("edited\n")
    assert (mount.path / "models" / account.name / "other/.gitattributes").exists()
    wait_until(lambda: open_repos(mount) == [f"models/{model}"])
    mount.run("commit", "-m", "An edit", mount.path)
    wait_until(lambda: open_repos(mount) == [])
    assert file.read_text() == "edited\n"
    assert commits(account, "model")[0] == "An edit"


def test_many_who_come_at_once_open_a_repo_once(hub, account, model, new_tree):
    mount = new_tree()
    os.listdir(mount.path / "models" / account.name)
    hub.reset_stats()
    errors: list[OSError] = []

    def write(number: int) -> None:
        try:
            (mount.path / "models" / model / f"{number}.txt").write_text(f"{number}\n")
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert errors == []
    assert hub.asked().get("preupload") == 1
    assert mount.unmount() == 0
    assert all(text(account, "model", f"{number}.txt") for number in range(16))


# Commands.


def test_commands_name_repos_by_their_paths(account, model, new_tree):
    account.create("other")
    mount = new_tree()
    place = mount.path / "models" / account.name
    (place / "model/config.json").write_text("edited\n")
    (place / "model/sub/a.txt").write_text("edited too\n")
    (place / "other/new.txt").write_text("new\n")
    shown = mount.run("status", mount.path).stdout
    assert f"~ models/{model}/config.json" in shown
    assert f"+ models/{account.name}/other/new.txt" in shown
    names = mount.run("diff", "--name-only", mount.path, f"{account.name}/other").stdout
    assert names == f"models/{account.name}/other/new.txt\n"
    preview = mount.run("commit", "--dry-run", mount.path, place / "other").stdout
    assert "would commit 1 file" in preview
    mount.run("discard", "--yes", mount.path, place / "model/sub")
    assert (place / "model/sub/a.txt").read_text() == "a\n"
    done = mount.run("commit", "-m", "One", mount.path, place / "model")
    assert done.stdout.startswith(f"models/{model}: committed 1 change as ")
    assert commits(account, "model")[0] == "One"
    assert commits(account, "other")[:1] != ["One"]
    assert "other/new.txt" in mount.run("status", mount.path).stdout
    refused = mount.run("commit", mount.path, "models/nobody/none", check=False)
    assert refused.returncode == NOT_FOUND
    refused = mount.run("commit", "--branch", "dev", mount.path, check=False)
    assert refused.returncode == USAGE


def test_a_branch_is_for_one_repo(account, model, new_tree):
    mount = new_tree()
    folder = mount.path / "models" / model
    (folder / "config.json").write_text("edited\n")
    mount.run("commit", "--branch", "dev", "--create-branch", mount.path, folder)
    assert text(account, "model", "config.json", "dev") == b"edited\n"
    assert text(account, "model", "config.json") == b"{}\n"


def test_pull_shows_what_others_committed(account, model, new_tree):
    mount = new_tree()
    file = mount.path / "models" / model / "config.json"
    assert file.read_text() == "{}\n"
    (file.parent / "mine.txt").write_text("mine\n")
    commit = account.commit("model", "config.json", "theirs\n")
    assert mount.run("pull", mount.path).stdout == f"models/{model} {commit}\n"
    assert file.read_text() == "theirs\n"
    assert (file.parent / "mine.txt").read_text() == "mine\n"


def test_edits_are_committed_by_themselves(account, model, new_tree):
    mount = new_tree("--commit", "interval:1")
    (mount.path / "models" / model / "config.json").write_text("edited\n")
    wait_until(lambda: text(account, "model", "config.json") == b"edited\n")


# What it costs.


def test_looking_around_makes_no_workspace(hub, account, model, new_tree):
    for number in range(5):
        account.create(f"more-{number}")
    mount = new_tree()
    hub.reset_stats()
    found = subprocess.run(
        ["find", mount.path, "-maxdepth", "3"], capture_output=True, text=True, timeout=60
    )
    assert found.stdout.count(f"models/{account.name}/") == 6
    assert set(hub.asked()) == {"whoami", "list"}
    assert not Path(mount.environment["XDG_STATE_HOME"], "hubfs/workspaces").exists()
    # To go into a repo of one's own costs one question more than into another.
    hub.reset_stats()
    os.listdir(mount.path / "models" / model)
    assert hub.asked()["preupload"] == 1
    assert sum(hub.asked().values()) <= 4
