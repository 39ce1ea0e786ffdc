"""What can be mounted: revisions, folders, kinds of repo, old ids, and repos not for everybody."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from gitview import GitView

FILES = {"config.json": b"{}\n", "sub/dir/deep.txt": b"deep\n", "sub/other.txt": b"other\n"}
FIRST, SECOND = b"first\n", b"second\n"


@pytest.fixture(scope="module")
def history(hub, import_repo) -> GitView:
    """A repo of two commits: main at the second, all other refs at the first."""
    repo = import_repo(FILES | {"which.txt": FIRST})
    git = GitView(hub.root / f"models/{repo}.git")
    old = git.rev()
    for ref in ("heads/dev", "heads/feat/one", "tags/v1.0", "pr/1", "convert/parquet"):
        git.run("update-ref", f"refs/{ref}", old)
    import_repo({"which.txt": SECOND}, name=repo.removeprefix("lab/"))
    assert git.rev() != old
    git.run("update-ref", "refs/heads/newest", git.rev())
    return git


def uri(git: GitView, rest: str = "") -> str:
    return f"hf://lab/{git.path.stem}{rest}"


OLD = ["@dev", "@feat%2Fone", "@v1.0", "@refs/pr/1", "@refs/convert/parquet"]
NEW = ["", "@main", "@newest"]


@pytest.mark.parametrize("revision", OLD)
def test_a_revision_shows_its_commit(new_mount, history, revision):
    mount = new_mount(uri(history, revision))
    assert (mount.path / "which.txt").read_bytes() == FIRST
    assert os.getxattr(mount.path, "user.hubfs.commit").decode() == history.rev("dev")


@pytest.mark.parametrize("revision", NEW)
def test_main_is_the_default(new_mount, history, revision):
    mount = new_mount(uri(history, revision))
    assert (mount.path / "which.txt").read_bytes() == SECOND
    assert os.getxattr(mount.path, "user.hubfs.commit").decode() == history.rev()


@pytest.mark.parametrize("branch", ["dev", "main"])
def test_a_commit_is_mounted_by_its_id(new_mount, history, branch):
    mount = new_mount(uri(history, "@" + history.rev(branch)))
    assert (mount.path / "which.txt").read_bytes() == {"dev": FIRST, "main": SECOND}[branch]


def test_a_known_commit_needs_no_hub(hub, new_mount, history):
    source = uri(history, "@" + history.rev("dev"))
    first = new_mount(source)
    (first.path / "which.txt").read_bytes()
    first.unmount()
    hub.stop()
    try:
        again = new_mount(source, cache=first.cache)
        assert (again.path / "which.txt").read_bytes() == FIRST
    finally:
        hub.start()


def test_a_folder_is_mounted_alone(new_mount, history):
    mount = new_mount(uri(history, "/sub/dir"))
    assert os.listdir(mount.path) == ["deep.txt"]
    assert (mount.path / "deep.txt").read_bytes() == b"deep\n"


def test_a_folder_of_a_revision_is_mounted(new_mount, history):
    mount = new_mount(uri(history, "@refs/pr/1/sub"))
    assert sorted(os.listdir(mount.path)) == ["dir", "other.txt"]
    assert (mount.path / "dir/deep.txt").read_bytes() == b"deep\n"


def test_a_file_has_one_inode_number_in_every_mount(new_mount, history):
    whole, part = new_mount(uri(history)), new_mount(uri(history, "/sub"))
    for path in ("other.txt", "dir", "dir/deep.txt"):
        assert os.stat(whole.path / "sub" / path).st_ino == os.stat(part.path / path).st_ino


@pytest.mark.parametrize("kind", ["dataset", "space"])
def test_other_kinds_are_mounted(hub, new_mount, import_repo, kind):
    repo = import_repo(FILES, "--type", kind)
    mount = new_mount(f"hf://{kind}s/{repo}")
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data
    part = new_mount(f"hf://{kind}s/{repo}@main/sub")
    assert (part.path / "dir/deep.txt").read_bytes() == b"deep\n"


def test_an_old_id_leads_to_the_repo(hub, new_mount, import_repo):
    repo = import_repo(FILES)
    hub.run("repo", "alias", "--root", hub.root, repo, "old-name")
    hub.run("repo", "alias", "--root", hub.root, repo, "before/renamed")
    for source in ("old-name", "hf://before/renamed"):
        mount = new_mount(source)
        assert (mount.path / "config.json").read_bytes() == FILES["config.json"]


def test_a_web_address_names_a_repo_too(hub, new_mount, history):
    page = f"{hub.address.endpoint}/lab/{history.path.stem}/tree/dev/sub"
    assert (new_mount(page).path / "other.txt").read_bytes() == b"other\n"


class Refused:
    """A mount that must not come up: its exit code and what it said."""

    def __init__(self, mount, source: str, *options: object):
        done = mount.run("mount", source, mount.path, *options, check=False)
        self.code, self.message = done.returncode, done.stderr
        assert done.returncode != 0 and not mount.is_mounted()
        # One sentence, not a trace.
        assert self.message.startswith("hubfs: ") and self.message.count("\n") == 1, self.message


# Exit codes, as in docs/ERRORS.md.
NOT_FOUND, ACCESS_REFUSED, MOUNT_POINT = 3, 4, 7


@pytest.fixture
def refused(new_mount):
    return lambda source, *options: Refused(new_mount(source, start=False), source, *options)


def test_what_is_not_there_is_refused_by_name(refused, history):
    absent = refused("hf://lab/no-such-repo")
    assert absent.code == NOT_FOUND and "lab/no-such-repo" in absent.message
    revision = refused(uri(history, "@no-such-branch"))
    assert revision.code == NOT_FOUND and "no-such-branch" in revision.message
    commit = refused(uri(history, "@" + "0" * 40))
    assert commit.code == NOT_FOUND
    folder = refused(uri(history, "/no/such/folder"))
    assert folder.code == NOT_FOUND and "no/such/folder" in folder.message


def test_a_file_cannot_be_mounted(refused, history):
    file = refused(uri(history, "/config.json"))
    assert "config.json" in file.message


@pytest.fixture(scope="module")
def tokens(hub, tmp_path_factory) -> dict[str, Path]:
    """Token files: of a member of lab, of somebody else, and of nobody."""
    folder = tmp_path_factory.mktemp("tokens")
    made = {
        "member": hub.create_token("member", "read", namespaces="lab"),
        "stranger": hub.create_token("stranger", "read", namespaces="elsewhere"),
        "invalid": "hf_" + "x" * 34,
    }
    for name, token in made.items():
        (folder / name).write_text(token + "\n")
    return {name: folder / name for name in made}


def test_a_private_repo_needs_a_token(new_mount, refused, import_repo, tokens):
    source = "hf://" + import_repo(FILES, "--private")
    anonymous = refused(source)
    assert anonymous.code == NOT_FOUND and "--token-file" in anonymous.message
    assert refused(source, "--token-file", tokens["stranger"]).code == NOT_FOUND
    invalid = refused(source, "--token-file", tokens["invalid"])
    assert invalid.code == ACCESS_REFUSED and "token" in invalid.message
    mount = new_mount(source, "--token-file", tokens["member"])
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data
    # The token itself is in no process list, log or attribute.
    token = tokens["member"].read_text().strip()
    command = Path(f"/proc/{mount.process.pid}/cmdline").read_text()
    assert token not in command and token not in mount.log()


def test_a_token_file_that_is_not_there_is_refused(refused, import_repo, tmp_path):
    done = refused("hf://" + import_repo(FILES), "--token-file", tmp_path / "absent")
    assert str(tmp_path / "absent") in done.message


def test_a_gated_repo_says_what_to_do(hub, new_mount, import_repo, tokens):
    repo = import_repo(FILES, "--gated")
    mount = new_mount(f"hf://{repo}", "--token-file", tokens["stranger"])
    # Everybody may list it; the files are for those who were granted access.
    assert sorted(os.listdir(mount.path)) == [".gitattributes", "config.json", "sub"]
    with pytest.raises(PermissionError):
        (mount.path / "config.json").read_bytes()
    assert "gated" in mount.log() and repo in mount.log()
    hub.run("repo", "grant", "--root", hub.root, repo, "--user", "stranger")
    assert (mount.path / "config.json").read_bytes() == FILES["config.json"]


def test_a_second_mount_in_the_same_place_is_refused(new_mount, history):
    mount = new_mount(uri(history))
    done = mount.run("mount", uri(history), mount.path, check=False)
    assert done.returncode == MOUNT_POINT and "umount" in done.stderr
    assert (mount.path / "which.txt").read_bytes() == SECOND


def test_a_directory_that_is_not_there_is_refused(new_mount, history, tmp_path):
    mount = new_mount(uri(history), start=False)
    for place in (tmp_path / "absent", __file__):
        done = mount.run("mount", uri(history), place, check=False)
        assert done.returncode == MOUNT_POINT and str(place) in done.stderr


def test_a_mount_in_the_background_is_seen_and_ended(new_mount, history):
    mount = new_mount(uri(history), start=False)
    mount.run("mount", uri(history), mount.path)
    assert mount.is_mounted()
    assert subprocess.check_output(["cat", mount.path / "which.txt"], timeout=30) == SECOND
    mount.run("umount", mount.path)
    assert not mount.is_mounted()
