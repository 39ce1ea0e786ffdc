"""Names that need care in URLs, in git, or in both."""

from pathlib import Path

import pytest
from huggingface_hub import HfFileSystem
from samples import noise

NAMES = [
    "with space.txt",
    "hash#question?.txt",
    "percent%.txt",
    "percent%2Fencoded.txt",
    "%41.txt",
    "plus+and&equals=.txt",
    "quote'double\".txt",
    "brackets[1]{2}(3).txt",
    "semi;colon:at@.txt",
    "tilde~dollar$bang!.txt",
    "comma,pipe|caret^.txt",
    "-dash.txt",
    ".hidden",
    "...",
    "ünï-日本語-🤗.txt",
    "de\u0301compose\u0301.txt",
    "d\u00e9compos\u00e9.txt",
    "dir with space/sub#1/ünï?.txt",
    "resolve/main/tree.txt",
    "a" * 200 + ".txt",
]


@pytest.fixture(scope="module")
def odd(api, git_view):
    """A repo with one small text file and one LFS file under every odd name."""
    from huggingface_hub import CommitOperationAdd

    api.create_repo("lab/odd-names")
    operations = []
    for number, name in enumerate(NAMES):
        operations.append(CommitOperationAdd(f"git/{name}", b"%d\n" % number))
        operations.append(CommitOperationAdd(f"lfs/{name}", noise(600, seed=number)))
    api.create_commit("lab/odd-names", operations, commit_message="Odd names")
    return git_view("lab/odd-names")


def test_git_has_them_as_they_are(odd):
    names = {f"{folder}/{name}" for folder in ("git", "lfs") for name in NAMES}
    assert odd.files() == {".gitattributes"} | names
    odd.fsck()


def test_listings_have_them_as_they_are(api, odd):
    assert {entry.path for entry in api.list_repo_tree("lab/odd-names", recursive=True)} == set(
        odd.tree()
    )
    found = api.get_paths_info("lab/odd-names", sorted(odd.files()))
    tree = odd.tree()
    assert {entry.path: entry.blob_id for entry in found} == {
        path: tree[path].oid for path in odd.files()
    }


@pytest.mark.parametrize("number", range(len(NAMES)), ids=[name[:24] for name in NAMES])
def test_each_can_be_downloaded(api, odd, tmp_path, number):
    expected = {"git": b"%d\n" % number, "lfs": noise(600, seed=number)}
    for folder, data in expected.items():
        path = f"{folder}/{NAMES[number]}"
        local = api.hf_hub_download("lab/odd-names", path, cache_dir=tmp_path)
        assert Path(local).read_bytes() == data


def test_folders_with_odd_names_can_be_listed(api, odd):
    [entry] = api.list_repo_tree("lab/odd-names", "git/dir with space/sub#1")
    assert entry.path == "git/dir with space/sub#1/ünï?.txt"


def test_the_clients_file_system_reads_them(endpoint, write_token, odd):
    fs = HfFileSystem(endpoint=endpoint, token=write_token, skip_instance_cache=True)
    assert fs.read_bytes("lab/odd-names/git/ünï-日本語-🤗.txt") == b"14\n"
    assert fs.read_bytes("lab/odd-names/lfs/with space.txt") == noise(600, seed=0)


def test_a_snapshot_has_all_of_them(api, odd, tmp_path):
    folder = Path(api.snapshot_download("lab/odd-names", cache_dir=tmp_path))
    for number, name in enumerate(NAMES):
        assert (folder / "git" / name).read_bytes() == b"%d\n" % number
        assert (folder / "lfs" / name).read_bytes() == noise(600, seed=number)


def test_gitattributes_of_odd_lfs_names_is_sound(odd, tmp_path):
    for name in NAMES:
        assert odd.attribute("filter", f"lfs/{name}", tmp_path) == "lfs", name
        assert odd.attribute("filter", f"git/{name}", tmp_path) == "unspecified", name


def test_odd_branches(api, new_repo, add, tmp_path):
    repo = new_repo()
    for branch in ("feat/a b".replace(" ", "+"), "ünï", "50%", "a#b"):
        api.create_branch(repo.id, branch=branch)
        commit = add(repo, {"which.txt": branch.encode()}, revision=branch)
        assert repo.git.rev(f"refs/heads/{branch}") == commit.oid
        local = api.hf_hub_download(repo.id, "which.txt", revision=branch, cache_dir=tmp_path)
        assert Path(local).read_bytes() == branch.encode()
        api.delete_branch(repo.id, branch=branch)
    assert set(repo.git.refs()) == {"refs/heads/main"}
