"""The folder that is the Hub: import, git's tools on it, restarts, and its command line."""

import subprocess
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from localhub import LocalHub
from samples import noise, pointer_text

FILES = {
    "README.md": b"# Imported\n",
    "model.safetensors": noise(300_000, seed=1),
    "sub/notes.txt": b"notes\n",
    "sub/empty": b"",
    "sub/odd": b"\0binary",
}

LFS_FILES = {"model.safetensors", "sub/odd"}


@pytest.fixture
def folder(tmp_path):
    """A folder worth importing, with a `.git` and a cache that must stay out."""
    for path, data in {**FILES, ".git/config": b"x", ".cache/huggingface/x": b"x"}.items():
        (tmp_path / "model" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / path).write_bytes(data)
    return tmp_path / "model"


def assert_holds_files(git, scratch) -> None:
    assert git.files() == {".gitattributes", *FILES}
    for path, data in FILES.items():
        assert git.blob(path) == (pointer_text(data) if path in LFS_FILES else data)
        expected = "lfs" if path in LFS_FILES else "unspecified"
        assert git.attribute("filter", path, scratch) == expected
    git.fsck()


def test_import_makes_a_repo_of_a_folder(hub, api, git_view, folder, tmp_path):
    hub.run("import", "--root", hub.root, "lab/imported", folder)
    assert_holds_files(git_view("lab/imported"), tmp_path)
    fetched = api.snapshot_download("lab/imported", cache_dir=tmp_path / "cache")
    for path, data in FILES.items():
        assert Path(f"{fetched}/{path}").read_bytes() == data


def test_import_options(hub, api, anonymous, git_view, folder, tmp_path):
    hub.run("import", "--root", hub.root, "lab/set", folder, "--type", "dataset", "--private")
    assert_holds_files(git_view("lab/set", "dataset"), tmp_path)
    assert api.repo_info("lab/set", repo_type="dataset").private is True
    assert not anonymous.repo_exists("lab/set", repo_type="dataset")
    hub.run("import", "--root", hub.root, "lab/gate", folder, "--gated")
    assert api.repo_info("lab/gate").gated in ("auto", "manual")


def test_importing_again_adds_one_commit_or_none(hub, git_view, folder):
    hub.run("import", "--root", hub.root, "lab/twice", folder)
    git = git_view("lab/twice")
    first = git.rev()
    hub.run("import", "--root", hub.root, "lab/twice", folder)
    assert git.rev() == first
    (folder / "README.md").write_bytes(b"# Changed\n")
    hub.run("import", "--root", hub.root, "lab/twice", folder)
    assert git.log()[0].parents == (first,)
    assert git.blob("README.md") == b"# Changed\n"


def test_git_clones_the_folder(repo, add, tmp_path):
    add(repo, {"a.txt": b"a", "d/b.txt": b"b"})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", repo.git.path, clone], check=True, timeout=60)
    assert (clone / "d/b.txt").read_bytes() == b"b"
    head = subprocess.run(
        ["git", "-C", clone, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert head.stdout.strip() == repo.git.rev()


@pytest.fixture
def second_hub(tmp_path):
    """A Hub of the test's own, which it may stop and start."""
    hub = LocalHub(tmp_path / "second")
    yield hub
    hub.stop()


def test_a_restart_forgets_nothing(second_hub, tmp_path):
    token = second_hub.create_token("lab", "write")
    address = second_hub.start()
    api = HfApi(endpoint=address.endpoint, token=token)
    api.create_repo("lab/kept", private=True)
    data = noise(9000)
    commit = api.upload_file(path_or_fileobj=data, path_in_repo="a.bin", repo_id="lab/kept")
    assert second_hub.stop() == 0

    address = second_hub.start()
    api = HfApi(endpoint=address.endpoint, token=token)
    assert api.repo_info("lab/kept").sha == commit.oid
    assert api.repo_info("lab/kept").private is True
    local = api.hf_hub_download("lab/kept", "a.bin", cache_dir=tmp_path / "cache")
    assert Path(local).read_bytes() == data


def test_tokens_never_lie_about_in_the_folder(hub, api, write_token, repo):
    for path in hub.root.rglob("*"):
        if path.is_file():
            assert write_token.encode() not in path.read_bytes(), path
    assert write_token not in hub.log()


WRONG_COMMANDS = [
    ["import", "--root", "{root}", "no-namespace", "{folder}"],
    ["import", "--root", "{root}", "lab/x", "{folder}/never-made"],
    ["token", "create", "--root", "{root}", "--name", "x", "--role", "emperor"],
    ["serve", "--root", "{root}", "--listen", "nonsense"],
    ["never-a-command"],
]


@pytest.mark.parametrize("command", WRONG_COMMANDS, ids=" ".join)
def test_wrong_commands_say_why(hub, folder, command):
    command = [part.format(root=hub.root, folder=folder) for part in command]
    done = hub.run(*command, check=False)
    assert done.returncode != 0
    assert done.stderr.strip()
