"""Uploads by Xet: the official client with its own program for it, seen from git, from the disk and without Xet."""

import itertools
from pathlib import Path

import pytest
import wire
import xet_program
from gitview import GitView
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from repo import Repo
from samples import MEBIBYTE, noise, sha256

LARGE = noise(6 * MEBIBYTE, seed=21)
_numbers = itertools.count(1)


@pytest.fixture
def repo(xet_hub, xet_api) -> Repo:
    """A fresh repo of the Hub that offers Xet, without faults."""
    repo_id = f"lab/upload-{next(_numbers)}"
    xet_api.create_repo(repo_id)
    xet_hub.reset_stats()
    yield Repo(
        repo_id, "model", GitView(xet_hub.root / f"models/{repo_id}.git"), xet_hub.address.endpoint
    )
    xet_hub.clear_faults()


def stored_bytes(hub) -> int:
    """What all xorbs take on disk."""
    return sum(path.stat().st_size for path in (hub.root / "xet/xorbs").glob("*/*"))


def plain(repo: Repo, path: str, **headers: str) -> bytes:
    """A file's bytes as a client without Xet gets them."""
    way = wire.request("GET", f"{repo.web_url}/resolve/main/{path}")
    assert way.status == 302
    return wire.request("GET", way["Location"], headers=headers).body


def test_one_file(xet_hub, xet_api, repo, tmp_path):
    xet_api.upload_file(path_or_fileobj=LARGE, path_in_repo="a/large.bin", repo_id=repo.id)
    asked = xet_hub.stats()["endpoints"]
    assert asked["cas-grant"] == asked["xorb-upload"] == asked["cas-commit"] == 1
    assert asked["cas-shard"] == 1
    assert "lfs-batch" not in asked
    assert "cas-xorb" not in asked
    assert repo.git.pointer("a/large.bin").sha256 == sha256(LARGE)
    assert not list(repo.git.path.glob("lfs/objects/*/*/*"))

    assert plain(repo, "a/large.bin") == LARGE
    assert plain(repo, "a/large.bin", Range="bytes=70000-4000000") == LARGE[70000:4000001]
    xet_hub.reset_stats()
    local = xet_api.hf_hub_download(repo.id, "a/large.bin", cache_dir=tmp_path)
    assert Path(local).read_bytes() == LARGE
    assert xet_hub.requests("cdn") == 0
    [listed] = xet_api.list_lfs_files(repo.id)
    assert (listed.file_oid, listed.size) == (sha256(LARGE), len(LARGE))


def test_a_xorb_as_full_as_the_client_makes_it(xet_hub, xet_api, repo):
    """It counts the bytes of chunks, which do not pack, and not what stands before each of them."""
    full = noise(64 * MEBIBYTE, seed=24)
    xet_api.upload_file(path_or_fileobj=full, path_in_repo="full.bin", repo_id=repo.id)
    assert xet_hub.stats()["endpoints"]["xorb-upload"] == 1
    assert xet_hub.bytes_received("xorb") > 64 * MEBIBYTE
    assert sha256(plain(repo, "full.bin")) == sha256(full)


def test_an_edit_stores_what_is_new(xet_hub, xet_api, repo, tmp_path):
    """By somebody who has nothing but the file: only the server knows what it has."""
    first = noise(8 * MEBIBYTE, seed=22)
    edits = {
        "overwritten": first[:3_000_000] + b"x" * 1000 + first[3_001_000:],
        "longer": first[:1_000_000] + b"inserted" + first[1_000_000:],
        "appended": first + noise(1000, seed=23),
    }
    local = tmp_path / "large.bin"
    local.write_bytes(first)
    xet_program.run(xet_hub, tmp_path / "home", "upload", repo.id, local)
    for number, (name, data) in enumerate(edits.items()):
        before = stored_bytes(xet_hub)
        local.write_bytes(data)
        xet_program.run(xet_hub, tmp_path / f"home-{number}", "upload", repo.id, local)
        assert 0 < stored_bytes(xet_hub) - before < 400_000, name
        assert plain(repo, "large.bin") == data
    assert xet_hub.bytes_received("xorb") < len(first) + 1_300_000
    assert xet_hub.bytes_sent("cas") < 100_000


def test_what_is_there_is_not_stored_again(xet_hub, xet_api, repo, tmp_path):
    data = noise(2 * MEBIBYTE, seed=24)
    xet_api.upload_file(path_or_fileobj=data, path_in_repo="a.bin", repo_id=repo.id)
    before = stored_bytes(xet_hub)
    other = "lab/other-of-uploads"
    xet_api.create_repo(other)
    (tmp_path / "b.bin").write_bytes(data)
    xet_program.run(xet_hub, tmp_path / "home", "upload", other, tmp_path / "b.bin")
    assert stored_bytes(xet_hub) == before
    assert Path(xet_api.hf_hub_download(other, "b.bin", cache_dir=tmp_path)).read_bytes() == data


def test_a_folder(xet_hub, xet_api, repo, tmp_path):
    files = {f"part-{n}.bin": noise(50_000 * n, seed=n) for n in range(1, 8)}
    files |= {"zeros.bin": bytes(400_000), "empty.bin": b"", "readme.txt": b"text\n"}
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    xet_api.upload_folder(folder_path=tmp_path, repo_id=repo.id)
    assert "lfs-batch" not in xet_hub.stats()["endpoints"]
    local = Path(xet_api.snapshot_download(repo.id, cache_dir=tmp_path / "cache"))
    assert {path: (local / path).read_bytes() for path in files} == files
    assert all(plain(repo, path) == data for path, data in files.items() if path[0] in "pz")


def test_direct_uploads_and_version_one(xet_hub, repo, tmp_path):
    xet_hub.add_fault("--status", 404, "--path", "/cas/v2/*")
    (tmp_path / "a.bin").write_bytes(LARGE[::-1])
    xet_program.run(
        xet_hub, tmp_path / "home", "upload", repo.id, tmp_path / "a.bin",
        HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD="1",
    )  # fmt: skip
    asked = xet_hub.stats()["endpoints"]
    assert asked["cas-xorb"] == 1
    assert asked["cas-shard"] == 2
    assert "xorb-upload" not in asked
    assert plain(repo, "a.bin") == LARGE[::-1]


FAULTS = {
    "an expired grant": ("--expired", "--to", "xorb-upload", "--count", 1),
    "a broken upload": ("--reset-upload", 100_000, "--to", "xorb-upload", "--count", 1),
    "a lost commit": ("--lose-answer", "--to", "cas-commit", "--count", 1),
    "a lost shard": ("--lose-answer", "--to", "cas-shard", "--count", 1),
    "a busy CAS": ("--status", 503, "--to", "cas-shard", "--count", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_once(xet_hub, xet_api, repo, fault):
    data = noise(500_000, seed=100 + list(FAULTS).index(fault))
    xet_hub.add_fault(*FAULTS[fault])
    xet_api.upload_file(path_or_fileobj=data, path_in_repo="a.bin", repo_id=repo.id)
    assert [entry["fired"] for entry in xet_hub.faults()] == [1]
    assert plain(repo, "a.bin") == data


def test_a_pull_request(xet_hub, xet_api, repo):
    data = noise(300_000, seed=25)
    opened = xet_api.create_commit(
        repo.id, [CommitOperationAdd("a.bin", data)], commit_message="Propose", create_pr=True
    )
    assert opened.pr_num == 1
    assert repo.git.pointer("a.bin", "refs/pr/1").sha256 == sha256(data)


def test_nobody_writes_who_may_not(xet_hub, xet_api, repo):
    from huggingface_hub import HfApi

    reader = HfApi(endpoint=repo.endpoint, token=xet_hub.create_token("xet-reader", "read"))
    url = f"{repo.api_url}/xet-write-token/main"
    assert wire.request("GET", url, token=reader.token).status == 403
    with pytest.raises(HfHubHTTPError):
        reader.upload_file(path_or_fileobj=LARGE, path_in_repo="a.bin", repo_id=repo.id)


def test_batch_by_xet(xet_hub, xet_api, repo):
    """What git-xet asks for: the way to the CAS comes with the LFS batch."""
    batch = f"{repo.web_url}.git/info/lfs/objects/batch"
    question = {
        "operation": "upload", "transfers": ["basic", "multipart", "xet"],
        "objects": [{"oid": sha256(b"unknown"), "size": 7}], "ref": {"name": "main"},
    }  # fmt: skip
    answer = wire.request("POST", batch, token=xet_api.token, json_body=question).json()
    assert answer["transfer"] == "xet"
    upload = answer["objects"][0]["actions"]["upload"]
    assert upload["header"]["X-Xet-Cas-Url"] == f"{repo.endpoint}/cas"
    token = wire.request("GET", upload["href"], token=xet_api.token).json()
    assert token["casUrl"] == upload["header"]["X-Xet-Cas-Url"]
    head = wire.request(
        "HEAD", f"{repo.endpoint}/cas/v1/files/{'0' * 64}",
        token=upload["header"]["X-Xet-Access-Token"],
    )  # fmt: skip
    assert head.status == 200
    plain_batch = question | {"transfers": ["basic"]}
    answer = wire.request("POST", batch, token=xet_api.token, json_body=plain_batch).json()
    assert answer["transfer"] == "basic"
