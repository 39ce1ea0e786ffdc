"""Buckets: files without versions, by the official client's functions, its command and its file system."""

import itertools
from pathlib import Path

import pytest
import wire
import xet_program
from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import (
    BucketNotFoundError,
    EntryNotFoundError,
    HfHubHTTPError,
)
from samples import MEBIBYTE, noise

LARGE = noise(3 * MEBIBYTE, seed=31)
FILES = {
    "a.txt": b"text\n",
    "dir/large.bin": LARGE,
    "dir/sub/b.bin": noise(5000, seed=32),
    "dir.json": b"{}",
    "dirx/q.txt": b"beside",
    "empty": b"",
}
_numbers = itertools.count(1)


@pytest.fixture
def bucket(xet_hub, xet_api) -> str:
    """A fresh bucket."""
    bucket_id = f"lab/bucket-{next(_numbers)}"
    url = xet_api.create_bucket(bucket_id)
    assert url.bucket_id == bucket_id
    return bucket_id


@pytest.fixture
def full(xet_api, bucket) -> str:
    """A bucket with the sample files."""
    xet_api.batch_bucket_files(bucket, add=[(data, path) for path, data in FILES.items()])
    return bucket


@pytest.fixture
def fs(xet_hub, xet_api) -> HfFileSystem:
    return HfFileSystem(
        endpoint=xet_hub.address.endpoint, token=xet_hub.write_token, skip_instance_cache=True
    )


def plain(xet_hub, bucket: str, path: str, **headers: str) -> bytes:
    """A file's bytes as a client without Xet gets them."""
    way = wire.request("GET", f"{xet_hub.address.endpoint}/buckets/{bucket}/resolve/{path}")
    assert way.status == 302
    return wire.request("GET", way["Location"], headers=headers).body


def test_what_is_told_of_a_bucket(xet_hub, xet_api, full):
    info = xet_api.bucket_info(full)
    assert (info.id, info.private) == (full, False)
    assert (info.size, info.total_files) == (sum(map(len, FILES.values())), len(FILES))
    assert full in [one.id for one in xet_api.list_buckets("lab")]
    assert [one.id for one in xet_api.list_buckets(search=full.split("/")[1])][:1] == [full]
    with pytest.raises(HfHubHTTPError):
        xet_api.create_bucket(full)
    assert xet_api.create_bucket(full, exist_ok=True).bucket_id == full


def test_listing(xet_api, full):
    def listed(prefix=None, **options):
        return [one.path for one in xet_api.list_bucket_tree(full, prefix, **options)]

    assert listed() == listed(recursive=True) == sorted(FILES)
    assert listed(recursive=False) == ["a.txt", "dir", "dir.json", "dirx", "empty"]
    assert listed("dir", recursive=False) == ["dir.json", "dir/large.bin", "dir/sub", "dirx"]
    assert listed("dir/") == ["dir/large.bin", "dir/sub/b.bin"]
    assert listed("nothing") == []
    [told] = xet_api.get_bucket_paths_info(full, ["dir/large.bin", "nothing", "dir"])
    assert (told.path, told.size, told.type) == ("dir/large.bin", len(LARGE), "file")
    assert told.mtime and told.uploaded_at


def test_pages(xet_hub, xet_api, full):
    url = f"{xet_hub.address.endpoint}/api/buckets/{full}/tree?limit=2"
    for way in ("", "&recursive=false"):
        paths, page = [], url + way
        while page:
            answer = wire.request("GET", page)
            assert len(answer.json()) <= 2
            paths += [entry["path"] for entry in answer.json()]
            page = wire.next_link(answer)
        assert len(paths) == len(set(paths)) == (len(FILES) if not way else 5)


def test_downloads(xet_hub, xet_api, full, tmp_path):
    xet_hub.reset_stats()
    xet_api.download_bucket_files(full, [(path, tmp_path / path) for path in FILES])
    assert {path: (tmp_path / path).read_bytes() for path in FILES} == FILES
    assert xet_hub.requests("cdn") == 0
    for path, data in FILES.items():
        assert plain(xet_hub, full, path) == data
    assert plain(xet_hub, full, "dir/large.bin", Range="bytes=1000000-2999999") == (
        LARGE[1000000:3000000]
    )
    with pytest.raises(EntryNotFoundError):
        xet_api.download_bucket_files(
            full, [("nothing", tmp_path / "x")], raise_on_missing_files=True
        )


def test_changes(xet_hub, xet_api, full, bucket):
    xet_api.batch_bucket_files(
        full, add=[(b"new", "a.txt")], delete=["dir/sub/b.bin"],
    )  # fmt: skip
    assert plain(xet_hub, full, "a.txt") == b"new"
    paths = {one.path for one in xet_api.list_bucket_tree(full)}
    assert paths == set(FILES) - {"dir/sub/b.bin"}
    other = "lab/copies-of-" + full.split("/")[1]
    xet_api.create_bucket(other)
    xet_hub.reset_stats()
    xet_api.copy_files(f"hf://buckets/{full}/dir/", f"hf://buckets/{other}/deep/")
    assert plain(xet_hub, other, "deep/large.bin") == LARGE
    assert "cas-shard" not in xet_hub.stats()["endpoints"]


def test_operations_that_fail(xet_hub, xet_api, full):
    """Each by itself; what is not in the bucket is not its owner's to put there by its hash."""
    url = f"{xet_hub.address.endpoint}/api/buckets/{full}/batch"
    private = "lab/private-of-" + full.split("/")[1]
    xet_api.create_bucket(private, private=True)
    xet_api.batch_bucket_files(private, add=[(noise(900, seed=33), "secret.bin")])
    [secret] = xet_api.list_bucket_tree(private)
    [known] = xet_api.get_bucket_paths_info(full, ["a.txt"])
    outsider = xet_hub.create_token(f"outsider-{next(_numbers)}", "write", namespaces="elsewhere")
    bad = [
        {"type": "addFile", "path": "x", "xetHash": "1" * 64, "mtime": 0},
        {"type": "addFile", "path": "x", "xetHash": secret.xet_hash, "mtime": 0},
        {"type": "addFile", "path": "../x", "xetHash": known.xet_hash, "mtime": 0},
        {"type": "deleteFile", "path": "nothing"},
        {"type": "copyFile", "path": "x", "xetHash": known.xet_hash, "mtime": 0,
         "sourceRepoType": "bucket", "sourceRepoId": "lab/nowhere"},
    ]  # fmt: skip
    good = {"type": "addFile", "path": "again.txt", "xetHash": known.xet_hash, "mtime": 1000}
    answer = wire.request("POST", url, token=xet_api.token, body=wire.ndjson(*bad, good))
    assert answer.status == 200
    assert answer.json()["succeeded"] == 1
    assert [failure["path"] for failure in answer.json()["failed"]] == [op["path"] for op in bad]
    answer = wire.request("POST", url, token=xet_api.token, body=wire.ndjson(*bad))
    assert answer.status == 422
    assert plain(xet_hub, full, "again.txt") == FILES["a.txt"]
    assert wire.request("POST", url, token=outsider, body=wire.ndjson(good)).status == 403
    assert wire.request("POST", url, body=wire.ndjson(good)).status == 401
    many = [good] * 1001
    assert wire.request("POST", url, token=xet_api.token, body=wire.ndjson(*many)).status == 400


def test_private_ones(xet_hub, xet_api, full):
    xet_api.update_bucket_settings(full, private=True)
    outsider = HfApi(
        endpoint=xet_hub.address.endpoint,
        token=xet_hub.create_token(f"stranger-{next(_numbers)}", "write", namespaces="elsewhere"),
    )
    with pytest.raises(BucketNotFoundError):
        outsider.bucket_info(full)
    assert full not in [one.id for one in outsider.list_buckets("lab")]
    endpoint = xet_hub.address.endpoint
    assert wire.request("GET", f"{endpoint}/buckets/{full}/resolve/a.txt").status == 401
    assert wire.request("GET", f"{endpoint}/api/buckets/{full}/xet-read-token").status == 401
    assert xet_api.bucket_info(full).private


def test_renaming_and_deleting(xet_hub, xet_api, full):
    new = full + "-renamed"
    xet_api.move_bucket(full, new)
    assert xet_api.bucket_info(new).id == xet_api.bucket_info(full).id == new
    assert plain(xet_hub, new, "dir/large.bin") == LARGE
    xet_api.delete_bucket(new)
    with pytest.raises(BucketNotFoundError):
        xet_api.bucket_info(new)
    xet_api.delete_bucket(new, missing_ok=True)


def test_the_command(xet_hub, xet_api, bucket, tmp_path):
    home, source = tmp_path / "home", tmp_path / "source"
    for path, data in FILES.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    place = f"hf://buckets/{bucket}"
    xet_program.run(xet_hub, home, "buckets", "sync", source, place)
    assert {one.path for one in xet_api.list_bucket_tree(bucket)} == set(FILES)
    (source / "a.txt").write_bytes(b"changed it")
    (source / "dir.json").unlink()
    xet_program.run(xet_hub, home, "buckets", "sync", source, place, "--delete")
    xet_program.run(xet_hub, home, "buckets", "sync", place, tmp_path / "back")
    expected = FILES | {"a.txt": b"changed it"}
    del expected["dir.json"]
    back = tmp_path / "back"
    found = {str(path.relative_to(back)): path for path in back.rglob("*") if path.is_file()}
    assert {path: file.read_bytes() for path, file in found.items()} == expected
    assert "large.bin" in xet_program.run(xet_hub, home, "buckets", "ls", place + "/dir")
    xet_program.run(xet_hub, home, "buckets", "cp", place + "/a.txt", tmp_path / "one.txt")
    assert (tmp_path / "one.txt").read_bytes() == b"changed it"
    xet_program.run(xet_hub, home, "buckets", "rm", place + "/a.txt", "--yes")
    assert "a.txt" not in {one.path for one in xet_api.list_bucket_tree(bucket)}


def test_the_file_system(xet_hub, full, fs):
    root = f"hf://buckets/{full}"
    assert sorted(fs.find(root)) == sorted(f"buckets/{full}/{path}" for path in FILES)
    names = sorted(path.rsplit("/", 1)[1] for path in fs.ls(root + "/dir", detail=False))
    assert names == ["large.bin", "sub"]
    assert fs.isdir(root + "/dir")
    assert not fs.exists(root + "/nothing")
    with fs.open(root + "/dir/large.bin", "rb") as file:
        file.seek(1_500_000)
        assert file.read(100_000) == LARGE[1_500_000:1_600_000]
    with fs.open(root + "/written.bin", "wb") as file:
        file.write(LARGE[:70_000])
    assert fs.cat(root + "/written.bin") == LARGE[:70_000]
    fs.rm(root + "/written.bin")
    assert not fs.exists(root + "/written.bin")


def test_copies_from_a_repo(xet_hub, xet_api, bucket, tmp_path):
    repo = "lab/repo-for-buckets"
    xet_api.create_repo(repo)
    xet_api.upload_file(path_or_fileobj=LARGE, path_in_repo="w/model.bin", repo_id=repo)
    xet_hub.reset_stats()
    xet_api.copy_files(f"hf://{repo}/w/", f"hf://buckets/{bucket}/")
    assert plain(xet_hub, bucket, "model.bin") == LARGE
    assert xet_hub.bytes_received("xorb") == 0
