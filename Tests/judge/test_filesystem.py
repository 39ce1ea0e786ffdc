"""HfFileSystem: the client's own file system, which reads by ranges."""

import pytest
from huggingface_hub import HfFileSystem
from samples import noise, sha256, text

LARGE = noise(1_000_003, seed=1)
TABLE = text(150_001, seed=2)
SAMPLE = {
    "config.json": b'{"hidden": 7}\n',
    "empty.txt": b"",
    "data/large.bin": LARGE,
    "data/table.csv": TABLE,
    "data/deep/er/leaf.txt": b"leaf\n",
}


@pytest.fixture
def fs(endpoint, write_token):
    return HfFileSystem(endpoint=endpoint, token=write_token, skip_instance_cache=True)


@pytest.fixture
def sample(repo, add):
    add(repo, SAMPLE)
    return repo


@pytest.mark.parametrize(("path", "data"), [("data/large.bin", LARGE), ("data/table.csv", TABLE)])
def test_seek_and_read(fs, sample, path, data):
    size = len(data)
    with fs.open(f"{sample.fs_path}/{path}", block_size=65536) as file:
        assert file.size == size
        spans = [(0, 10), (size - 7, 7), (65530, 12), (size // 2, 70_000), (1, 1), (size, 5)]
        for offset, length in spans:
            file.seek(offset)
            assert file.read(length) == data[offset : offset + length]
        file.seek(-5, 2)
        assert file.read() == data[-5:]


def test_a_whole_read_and_a_stream(fs, sample):
    assert fs.read_bytes(f"{sample.fs_path}/data/large.bin") == LARGE
    with fs.open(f"{sample.fs_path}/data/large.bin", block_size=0) as stream:
        assert stream.read(1000) == LARGE[:1000]
        assert stream.read() == LARGE[1000:]
    assert fs.cat_file(f"{sample.fs_path}/data/table.csv", start=5, end=-5) == TABLE[5:-5]
    assert fs.read_bytes(f"{sample.fs_path}/empty.txt") == b""


def test_lines_of_a_text_file(fs, sample):
    with fs.open(f"{sample.fs_path}/config.json", "r") as file:
        assert file.read() == SAMPLE["config.json"].decode()


def test_get_file(fs, sample, tmp_path):
    fs.get_file(f"{sample.fs_path}/data/large.bin", str(tmp_path / "large.bin"))
    assert sha256((tmp_path / "large.bin").read_bytes()) == sha256(LARGE)


def test_listing(fs, sample):
    root = sample.fs_path
    tree = sample.git.tree()
    names = set(fs.ls(root, detail=False))
    assert names == {f"{root}/{path}" for path in tree if "/" not in path}
    for item in fs.ls(f"{root}/data", detail=True):
        path = item["name"].removeprefix(f"{root}/")
        if item["type"] == "directory":
            assert item["tree_id"] == tree[path].oid
        else:
            assert item["blob_id"] == tree[path].oid
            assert item["size"] == len(SAMPLE[path])
    assert set(fs.find(root)) == {f"{root}/{path}" for path in sample.git.files()}
    assert set(fs.glob(f"{root}/**/*.csv")) == {f"{root}/data/table.csv"}
    walked = {
        f"{folder}/{name}".removeprefix(f"{root}/")
        for folder, _, files in fs.walk(root)
        for name in files
    }
    assert walked == sample.git.files()
    assert fs.du(f"{root}/data") == len(LARGE) + len(TABLE) + len(SAMPLE["data/deep/er/leaf.txt"])


def test_what_a_path_is(fs, sample):
    root = sample.fs_path
    assert fs.isdir(root)
    assert fs.isdir(f"{root}/data")
    assert fs.isfile(f"{root}/data/large.bin")
    assert not fs.exists(f"{root}/never-made")
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{root}/never-made")
    with pytest.raises(FileNotFoundError):
        fs.open(f"{root}/never-made").read()
    with pytest.raises(FileNotFoundError):
        fs.ls("lab/never-made-repo")


def test_modified_is_the_time_of_the_last_commit(fs, sample, add):
    add(sample, {"config.json": b"{}\n"})
    for path in ("config.json", "data/large.bin", "data"):
        modified = fs.modified(f"{sample.fs_path}/{path}")
        assert modified.timestamp() == sample.git.log("main", path)[0].timestamp


def test_a_revision_in_the_path(fs, api, sample, add):
    old = sample.git.rev()
    api.create_branch(sample.id, branch="feat/x")
    sample.git.run("update-ref", "refs/pr/3", old)
    add(sample, {"config.json": b"changed\n"})
    for revision in (old, old[:12], "feat%2Fx", "refs/pr/3"):
        data = fs.read_bytes(f"{sample.fs_path}@{revision}/config.json")
        assert data == SAMPLE["config.json"]
    assert fs.read_bytes(f"{sample.fs_path}/config.json") == b"changed\n"
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{sample.fs_path}@never-made")


def test_datasets(fs, new_repo, add):
    repo = new_repo("dataset")
    add(repo, SAMPLE)
    assert fs.read_bytes(f"{repo.fs_path}/data/large.bin") == LARGE
    assert set(fs.find(repo.fs_path)) == {f"{repo.fs_path}/{path}" for path in repo.git.files()}


def test_writing_moving_and_removing(fs, sample):
    root = sample.fs_path
    with fs.open(f"{root}/written/new.txt", "w") as file:
        file.write("written\n")
    assert sample.git.blob("written/new.txt") == b"written\n"
    fs.mv(f"{root}/data/large.bin", f"{root}/moved.bin")
    assert sample.git.pointer("moved.bin").sha256 == sha256(LARGE)
    assert "data/large.bin" not in sample.git.files()
    fs.cp_file(f"{root}/config.json", f"{root}/copy.json")
    assert sample.git.blob("copy.json") == SAMPLE["config.json"]
    fs.rm(f"{root}/data", recursive=True)
    assert sample.git.files() == {
        ".gitattributes",
        "config.json",
        "empty.txt",
        "written/new.txt",
        "moved.bin",
        "copy.json",
    }
