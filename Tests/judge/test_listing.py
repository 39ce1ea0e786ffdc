"""Tree listings and paths-info, entry by entry against `git ls-tree`."""

import datetime

import pytest
import wire
from huggingface_hub import RepoFile, RepoFolder
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
from samples import noise

SAMPLE = {
    "config.json": b'{"hidden": 7}\n',
    "empty": b"",
    "weights/one.bin": noise(5000, seed=1),
    "weights/shards/two.safetensors": noise(70_000, seed=2),
    "weights/shards/notes.md": b"# notes\n",
}


@pytest.fixture
def sample(repo, add):
    add(repo, SAMPLE)
    return repo


def assert_is_gits(entry: RepoFile | RepoFolder, git, revision: str = "main") -> None:
    """One entry of an answer says what git says of that path."""
    truth = git.tree(revision)[entry.path]
    if isinstance(entry, RepoFolder):
        assert (truth.kind, truth.oid) == ("tree", entry.tree_id)
        return
    assert (truth.kind, truth.oid) == ("blob", entry.blob_id)
    pointer = git.pointer(entry.path, revision)
    if pointer is None:
        assert (entry.size, entry.lfs) == (truth.size, None)
    else:
        assert entry.size == entry.lfs.size == pointer.size
        assert entry.lfs.sha256 == pointer.sha256
        assert entry.lfs.pointer_size == truth.size


def test_a_recursive_listing_is_gits_tree(api, sample):
    entries = list(api.list_repo_tree(sample.id, recursive=True))
    assert len(entries) == len({entry.path for entry in entries})
    assert {entry.path for entry in entries} == set(sample.git.tree())
    for entry in entries:
        assert_is_gits(entry, sample.git)
    assert sorted(api.list_repo_files(sample.id)) == sorted(sample.git.files())


@pytest.mark.parametrize("folder", [None, "weights", "weights/shards"])
def test_a_folders_listing_names_its_children_from_the_root(api, sample, folder):
    prefix = f"{folder}/" if folder else ""
    children = {
        path
        for path in sample.git.tree()
        if path.startswith(prefix) and "/" not in path.removeprefix(prefix)
    }
    entries = list(api.list_repo_tree(sample.id, folder))
    assert {entry.path for entry in entries} == children
    for entry in entries:
        assert_is_gits(entry, sample.git)


def test_a_recursive_listing_of_a_folder_leaves_the_folder_out(api, sample):
    paths = {entry.path for entry in api.list_repo_tree(sample.id, "weights", recursive=True)}
    assert paths == {path for path in sample.git.tree() if path.startswith("weights/")}


def test_expand_tells_the_last_commit_of_each_entry(api, sample, add):
    add(sample, {"weights/shards/notes.md": b"# more notes\n"}, message="Edit notes")
    add(sample, {"new/file.txt": b"x"}, message="Add a folder")
    for entry in api.list_repo_tree(sample.id, recursive=True, expand=True):
        newest = sample.git.log("main", entry.path)[0]
        assert entry.last_commit.oid == newest.oid
        assert entry.last_commit.title == newest.title
        assert entry.last_commit.date == datetime.datetime.fromtimestamp(
            newest.timestamp, datetime.UTC
        )
        assert_is_gits(entry, sample.git)


@pytest.fixture(scope="module")
def wide(api, git_view):
    """A repo whose root holds more than two pages of files."""
    from huggingface_hub import CommitOperationAdd

    api.create_repo("lab/wide")
    api.create_commit(
        "lab/wide",
        [CommitOperationAdd(f"f{number:04}.txt", b"%d" % number) for number in range(2300)]
        + [CommitOperationAdd(f"sub/{number:03}.txt", b"%d" % number) for number in range(200)],
        commit_message="Many files",
    )
    return git_view("lab/wide")


@pytest.mark.parametrize("recursive", [False, True])
def test_a_long_listing_comes_whole(api, wide, recursive):
    paths = [entry.path for entry in api.list_repo_tree("lab/wide", recursive=recursive)]
    truth = {path for path in wide.tree() if recursive or "/" not in path}
    assert len(paths) == len(set(paths))
    assert set(paths) == truth


def test_an_expanded_listing_of_many_files_comes_whole(api, wide):
    entries = list(api.list_repo_tree("lab/wide", "sub", expand=True))
    assert {entry.path for entry in entries} == {f"sub/{number:03}.txt" for number in range(200)}
    assert {entry.last_commit.oid for entry in entries} == {wide.rev()}


@pytest.mark.parametrize("limit", [1, 999, 1000, 2502])
def test_pages_are_as_long_as_asked_and_link_to_the_next(wide, endpoint, write_token, limit):
    url = f"{endpoint}/api/models/lab/wide/tree/main?recursive=false&expand=false&limit={limit}"
    page_size = min(limit, 1000)
    seen, pages = [], 0
    while url and pages < 5:
        answer = wire.request("GET", url, token=write_token)
        assert answer.status == 200
        seen += [entry["path"] for entry in answer.json()]
        pages += 1
        url = wire.next_link(answer)
        if url:
            assert len(answer.json()) == page_size
            assert url.startswith(f"{endpoint}/api/models/lab/wide/tree/main?")
    truth = {path for path in wide.tree() if "/" not in path}
    assert len(seen) == len(set(seen)) == min(len(truth), 5 * page_size)
    assert set(seen) <= truth


def test_a_folder_is_listed_by_either_spelling_of_its_path(sample):
    encoded = wire.request("GET", f"{sample.api_url}/tree/main/weights%2Fshards")
    plain = wire.request("GET", f"{sample.api_url}/tree/main/weights/shards")
    assert encoded.status == plain.status == 200
    assert encoded.json() == plain.json()
    assert len(plain.json()) == 2


def test_paths_info_answers_what_exists(api, sample):
    asked = ["weights", "config.json", "never-made", "weights/one.bin", "empty"]
    found = api.get_paths_info(sample.id, asked)
    assert {entry.path for entry in found} == set(asked) - {"never-made"}
    for entry in found:
        assert_is_gits(entry, sample.git)
    assert api.get_paths_info(sample.id, ["never-made"]) == []
    [single] = api.get_paths_info(sample.id, "weights/shards/two.safetensors", expand=True)
    assert single.last_commit.oid == sample.git.rev()


def test_paths_info_takes_many_paths(api, wide, endpoint):
    asked = [f"f{number:04}.txt" for number in range(1500)]
    # A form may have 1000 parameters, and `expand` is one of them; JSON has no such limit.
    found = api.get_paths_info("lab/wide", asked[:999])
    assert sorted(entry.path for entry in found) == asked[:999]
    url = f"{endpoint}/api/models/lab/wide/paths-info/main"
    answer = wire.request("POST", url, json_body={"paths": asked, "expand": False})
    assert sorted(item["path"] for item in answer.json()) == asked


def test_paths_info_takes_json(sample):
    answer = wire.request(
        "POST",
        f"{sample.api_url}/paths-info/main",
        json_body={"paths": ["config.json", "weights", "never-made"], "expand": False},
    )
    assert answer.status == 200
    tree = sample.git.tree()
    assert {item["path"]: (item["type"], item["oid"]) for item in answer.json()} == {
        "config.json": ("file", tree["config.json"].oid),
        "weights": ("directory", tree["weights"].oid),
    }


def test_listing_what_is_not_a_folder(api, sample):
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(sample.id, "never-made"))
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(sample.id, "config.json"))
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(sample.id, revision="never-made"))


def test_treesize_counts_real_bytes(sample):
    for folder in ("weights", "weights/shards"):
        answer = wire.request("GET", f"{sample.api_url}/treesize/main/{folder}")
        assert answer.status == 200
        assert answer.json()["size"] == sum(
            len(data) for path, data in SAMPLE.items() if path.startswith(f"{folder}/")
        )
