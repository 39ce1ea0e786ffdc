"""The whole Hub as a tree: what its paths show. Docs: SEMANTICS.md, "The whole Hub"."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from contents import kernel, wait_until_sealed
from hub_tree import Account
from samples import MEBIBYTE, noise


def error_of(path: Path) -> int:
    """The errno that stat(2) ends with."""
    with pytest.raises(OSError) as caught:
        os.stat(path)
    return caught.value.errno


def test_repos_of_each_kind_have_their_paths(new_mount, account, model):
    dataset = account.create("words", kind="dataset", files={"words.txt": "one\n"})
    space = account.create("demo", kind="space", files={"app.py": "pass\n"}, sdk="static")
    tree = new_mount("hf://").path
    assert (tree / "models" / model / "config.json").read_text() == "{}\n"
    assert (tree / "models" / model / "sub/a.txt").read_text() == "a\n"
    assert (tree / "datasets" / dataset / "words.txt").read_text() == "one\n"
    assert (tree / "spaces" / space / "app.py").read_text() == "pass\n"
    # As hf:// addresses read: a model's kind is left out.
    assert (tree / model / "config.json").read_text() == "{}\n"
    assert os.path.samefile(tree / model, tree / "models" / model)


def test_the_source_may_have_a_third_slash(new_mount, model):
    assert (new_mount("hf:///").path / model / "config.json").exists()


def test_a_repo_that_no_listing_shows_can_be_looked_up(new_mount, model):
    tree = new_mount("hf://").path
    assert sorted(os.listdir(tree)) == ["datasets", "models", "spaces"]
    assert os.listdir(tree / "models") == []
    assert (tree / "models" / model).is_dir()


def test_an_account_lists_its_repos(hub, new_mount, account):
    names = {f"model-{number:03}" for number in range(30)}
    for name in names:
        account.create(name)
    account.create("words", kind="dataset")
    tree = new_mount("hf://").path
    hub.reset_stats()
    assert set(os.listdir(tree / "models" / account.name)) == names
    assert os.listdir(tree / "datasets" / account.name) == ["words"]
    assert hub.asked() == {"list": 2}
    # What is listed can be looked at without another question.
    for name in names:
        assert stat.S_ISDIR(os.stat(tree / "models" / account.name / name).st_mode)
    assert hub.asked() == {"list": 2}


def test_the_top_shows_what_is_in_use_and_the_tokens_own(
    hub, new_mount, account, model
):
    own = Account(hub, account.token)
    organisation = Account(hub, account.token)
    stranger = account
    token = hub.create_token(own.name, "read", namespaces=organisation.name)
    mount = new_mount("hf://", start=False)
    mount.environment["HF_TOKEN"] = token
    tree = mount.start("hf://").path
    hub.reset_stats()
    kinds = ["datasets", "models", "spaces"]
    mine = [own.name, organisation.name]
    assert sorted(os.listdir(tree)) == sorted(kinds + mine)
    for kind in kinds:
        assert sorted(os.listdir(tree / kind)) == sorted(mine)
    assert hub.asked() == {"whoami": 1}
    # Somebody else's repo is there once it is used.
    assert (tree / "models" / model / "config.json").read_text() == "{}\n"
    assert sorted(os.listdir(tree)) == sorted(kinds + mine + [stranger.name])
    assert sorted(os.listdir(tree / "models")) == sorted(mine + [stranger.name])
    assert sorted(os.listdir(tree / "datasets")) == sorted(mine)
    assert hub.asked()["whoami"] == 1


def test_names_without_a_namespace_lead_to_their_repo(hub, new_mount, account, model):
    dataset = account.create("words", kind="dataset", files={"words.txt": "one\n"})
    old = f"old-{account.name}"
    hub.run("repo", "alias", "--root", hub.root, model, old)
    hub.run("repo", "alias", "--root", hub.root, dataset, old, "--type", "dataset")
    account.tag("model", "v1")
    tree = new_mount("hf://").path
    assert (tree / "models" / old / "config.json").read_text() == "{}\n"
    assert os.readlink(tree / "models" / old) == model
    assert (tree / "datasets" / old / "words.txt").read_text() == "one\n"
    assert os.readlink(tree / "models" / f"{old}@v1") == f"{model}@v1"
    assert (tree / "models" / f"{old}@v1" / "config.json").read_text() == "{}\n"
    assert error_of(tree / "spaces" / old) == errno.ENOENT


def test_a_renamed_repo_is_found_under_its_old_name(new_mount, account, model):
    body = {"fromRepo": model, "toRepo": f"{account.name}/new", "type": "model"}
    assert account.ask("POST", "/api/repos/move", json_body=body).status == 200
    tree = new_mount("hf://").path
    assert (tree / "models" / model / "config.json").read_text() == "{}\n"
    assert os.readlink(tree / "models" / model) == "new"


def test_revisions_stand_side_by_side(new_mount, account, model):
    account.tag("model", "v1")
    newer = account.commit("model", "config.json", '{"v": 2}\n')
    number = account.open_pull_request("model")
    account.commit("model", "config.json", '{"v": 3}\n', f"refs%2Fpr%2F{number}")
    tree = new_mount("hf://").path
    repo = tree / "models" / model
    paths = {
        repo: '{"v": 2}\n',
        Path(f"{repo}@main"): '{"v": 2}\n',
        Path(f"{repo}@v1"): "{}\n",
        Path(f"{repo}@{newer}"): '{"v": 2}\n',
        Path(f"{repo}@refs%2Fpr%2F{number}"): '{"v": 3}\n',
        Path(f"{repo}@refs%2fpr%2f{number}"): '{"v": 3}\n',
        Path(f"{tree / model}@v1"): "{}\n",
    }
    for path, text in paths.items():
        assert (path / "config.json").read_text() == text
    # The main branch is one repo, however it is written; every other revision has inodes of its own.
    assert os.readlink(f"{repo}@main") == "model"
    assert os.readlink(f"{repo}@refs%2fpr%2f{number}") == f"model@refs%2Fpr%2F{number}"
    files = [path / name for path in paths for name in ("", "config.json", "sub", "sub/a.txt")]
    real = {os.path.realpath(file) for file in files}
    assert len({os.stat(file).st_ino for file in real}) == len(real) == 16
    assert set(os.listdir(repo.parent)) == {
        "model", "model@v1", f"model@{newer}", f"model@refs%2Fpr%2F{number}",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["nobody", "{account}/nothing", "{account}/model@nothing"])
def test_what_the_hub_does_not_have_is_absent(new_mount, account, model, name):
    tree = new_mount("hf://").path
    assert error_of(tree / "models" / name.format(account=account.name)) == errno.ENOENT


def test_a_private_repo_is_hidden_without_a_token(new_mount, account, model):
    account.create("secret", private=True, files={"a.txt": "a\n"})
    tree = new_mount("hf://").path
    assert error_of(tree / "models" / account.name / "secret") == errno.ENOENT
    assert os.listdir(tree / "models" / account.name) == ["model"]
    mount = new_mount("hf://", start=False)
    mount.environment["HF_TOKEN"] = account.token
    mine = mount.start("hf://").path
    assert set(os.listdir(mine / "models" / account.name)) == {"model", "secret"}
    assert (mine / "models" / account.name / "secret/a.txt").read_text() == "a\n"


def test_a_token_nobody_knows_is_refused(new_mount, model):
    mount = new_mount("hf://", start=False)
    mount.environment["HF_TOKEN"] = "hf_" + "x" * 34
    tree = mount.start("hf://").path
    assert error_of(tree / "models" / model) == errno.EACCES
    assert sorted(os.listdir(tree)) == ["datasets", "models", "spaces"]


def test_the_tree_itself_cannot_be_changed(new_mount, account, model):
    tree = new_mount("hf://").path
    for change in (
        lambda: (tree / f"models/new-{account.name}").mkdir(),
        lambda: (tree / "models" / model / "new.txt").write_text("no"),
        lambda: os.unlink(tree / "models" / model / "config.json"),
        lambda: os.rename(tree / "models" / model, tree / "models" / f"{model}2"),
    ):
        with pytest.raises(OSError) as caught:
            change()
        assert caught.value.errno == errno.EROFS


def test_a_directory_can_be_walked_to_its_parents(new_mount, account, model):
    tree = new_mount("hf://").path
    repo = tree / "models" / model
    os.listdir(repo)
    for path in (repo, repo.parent, repo.parent.parent):
        assert os.path.samefile(path / "..", path.parent)
    assert [entry.inode() for entry in os.scandir(repo.parent)] == [os.stat(repo).st_ino]


def test_attributes_of_the_trees_own_directories(new_mount, model):
    tree = new_mount("hf://").path
    (tree / model).stat()
    for path in (tree, tree / "models", tree / "models" / Path(model).parent):
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o555
        assert os.listxattr(path) == []
    assert stat.S_ISLNK(os.lstat(tree / Path(model).parent).st_mode)
    assert os.statvfs(tree).f_blocks > 0
    assert os.listxattr(tree / "models" / model) == ["user.hubfs.commit"]


def test_a_repo_shows_the_time_of_its_commit(new_mount, account, model):
    tree = new_mount("hf://").path
    listed = os.stat(tree / "models" / model).st_mtime_ns
    os.listdir(tree / "models" / model)
    assert os.stat(tree / "models" / model / "config.json").st_mtime_ns == listed


def test_whole_files_are_read_by_the_kernel(new_mount, import_repo):
    data = noise(2 * MEBIBYTE, seed=3)
    mount = new_mount("hf://")
    files = [mount.path / "models" / import_repo({"w.bin": data}) / "w.bin" for _ in range(2)]
    assert files[0].read_bytes() == data
    wait_until_sealed(mount, data)
    opens = kernel(mount)["passthroughOpens"]
    # One content in two repos, at once.
    with files[0].open("rb") as first, files[1].open("rb") as second:
        assert first.read() == second.read() == data
    assert kernel(mount)["passthroughOpens"] == opens + 2


def test_pages_stay_in_the_kernel(hub, new_mount, account, model):
    mount = new_mount("hf://")
    file = mount.path / "models" / model / "config.json"
    assert file.read_text() == "{}\n"
    reads = kernel(mount)["requests"]["read"]
    for _ in range(5):
        assert file.read_text() == "{}\n"
    assert kernel(mount)["requests"]["read"] == reads


def test_status_tells_what_is_open(new_mount, account, model):
    mount = new_mount("hf://")
    (mount.path / "models" / model / "config.json").read_text()
    text = mount.run("status", mount.path).stdout
    assert "hf://" in text and f"models/{model} at " in text
