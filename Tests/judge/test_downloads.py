"""Downloads: metadata, single files, whole snapshots, and what the local cache makes of them."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
from samples import git_oid, noise, sha256, text

SAMPLE = {
    "config.json": b'{"hidden": 7}\n',
    "empty.txt": b"",
    "data/large.bin": noise(3_000_000, seed=1),
    "data/table.csv": text(200_000, seed=2),
    "data/deep/er/leaf.safetensors": noise(70_000, seed=3),
}


@pytest.fixture
def sample(repo, add):
    add(repo, SAMPLE)
    return repo


@pytest.mark.parametrize("path", SAMPLE)
def test_one_file(api, sample, tmp_path, path):
    local = Path(api.hf_hub_download(sample.id, path, cache_dir=tmp_path))
    assert local.read_bytes() == SAMPLE[path]
    is_lfs = sample.git.pointer(path) is not None
    assert is_lfs == path.endswith((".bin", ".safetensors"))
    etag = sha256(SAMPLE[path]) if is_lfs else git_oid(SAMPLE[path])
    assert local.resolve().name == etag
    assert f"/snapshots/{sample.git.rev()}/{path}" in str(local)


def test_metadata_of_a_git_file(api, sample, endpoint):
    metadata = api.get_hf_file_metadata(url=hf_hub_url(sample.id, "config.json"))
    assert metadata.commit_hash == sample.git.rev()
    assert metadata.etag == sample.git.tree()["config.json"].oid
    assert metadata.size == len(SAMPLE["config.json"])
    assert metadata.location.startswith(endpoint)
    assert metadata.xet_file_data is None


def test_metadata_of_an_lfs_file(api, sample, endpoint, hub):
    metadata = api.get_hf_file_metadata(url=hf_hub_url(sample.id, "data/large.bin"))
    assert metadata.commit_hash == sample.git.rev()
    assert metadata.etag == sha256(SAMPLE["data/large.bin"])
    assert metadata.size == len(SAMPLE["data/large.bin"])
    assert metadata.xet_file_data is None
    location = urlsplit(metadata.location)
    assert location.netloc == urlsplit(hub.address.cdn).netloc
    assert location.hostname != urlsplit(endpoint).hostname


def test_a_second_download_fetches_no_bytes(api, sample, tmp_path, hub):
    first = api.hf_hub_download(sample.id, "data/large.bin", cache_dir=tmp_path)
    hub.reset_stats()
    assert api.hf_hub_download(sample.id, "data/large.bin", cache_dir=tmp_path) == first
    assert hub.requests("cdn") == 0


def test_into_a_local_folder(api, sample, tmp_path):
    local = api.hf_hub_download(sample.id, "table.csv", subfolder="data", local_dir=tmp_path)
    assert local == str(tmp_path / "data/table.csv")
    assert Path(local).read_bytes() == SAMPLE["data/table.csv"]


def test_a_missing_file_is_remembered_by_commit(api, sample, tmp_path):
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(sample.id, "never-made.txt", cache_dir=tmp_path)
    [remembered] = tmp_path.glob("*/.no_exist/*/never-made.txt")
    assert remembered.parent.name == sample.git.rev()
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(sample.id, "config.json", revision="never-made", cache_dir=tmp_path)
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(sample.id, "data", cache_dir=tmp_path)


def test_a_snapshot_equals_what_was_uploaded(api, sample, tmp_path):
    folder = Path(api.snapshot_download(sample.id, cache_dir=tmp_path))
    assert folder.name == sample.git.rev()
    assert read_folder(folder) == {
        ".gitattributes": sample.git.blob(".gitattributes"),
        **SAMPLE,
    }


def test_a_snapshot_of_an_older_commit(api, sample, add, tmp_path):
    old = sample.git.rev()
    add(sample, {"config.json": b"changed\n", "more.txt": b"more"})
    folder = Path(api.snapshot_download(sample.id, revision=old, cache_dir=tmp_path))
    assert folder.name == old
    assert (folder / "config.json").read_bytes() == SAMPLE["config.json"]
    assert not (folder / "more.txt").exists()


def test_a_snapshot_by_patterns(api, sample, tmp_path):
    folder = api.snapshot_download(sample.id, local_dir=tmp_path, allow_patterns="data/*.csv")
    fetched = {path for path in read_folder(Path(folder)) if not path.startswith(".cache/")}
    assert fetched == {"data/table.csv"}


@pytest.mark.parametrize("repo_type", ["dataset", "space"])
def test_snapshots_of_the_other_types(api, new_repo, add, tmp_path, repo_type):
    options = {"space_sdk": "static"} if repo_type == "space" else {}
    repo = new_repo(repo_type, **options)
    add(repo, SAMPLE)
    folder = Path(api.snapshot_download(repo.id, repo_type=repo_type, cache_dir=tmp_path))
    files = read_folder(folder)
    assert set(files) == repo.git.files()
    assert {path: files[path] for path in SAMPLE} == SAMPLE


def test_anyone_may_download_from_a_public_repo(anonymous, sample, tmp_path):
    for path, data in SAMPLE.items():
        local = anonymous.hf_hub_download(sample.id, path, cache_dir=tmp_path)
        assert Path(local).read_bytes() == data


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
