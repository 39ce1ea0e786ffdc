"""Large LFS objects in parts: cut, sent again, put together, and compared with git and the disk."""

import hashlib
import os
from pathlib import Path

import pytest
import wire
from gitview import Pointer
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from localhub import MULTIPART_THRESHOLD_BYTES, PART_BYTES
from samples import MEBIBYTE, noise, sha256

LARGE = noise(10 * MEBIBYTE + 1, seed=21)
PARTS = -(-len(LARGE) // PART_BYTES)

LFS_JSON = "application/vnd.git-lfs+json"


@pytest.fixture
def mended(hub):
    """The server, with fresh counters, to break; mended after the test."""
    hub.clear_faults()
    hub.reset_stats()
    yield hub
    hub.clear_faults()


def batch(repo, token: str, *objects: dict, transfers=("basic", "multipart")) -> dict:
    """The answer of the LFS batch endpoint to an upload."""
    answer = wire.request(
        "POST",
        f"{repo.web_url}.git/info/lfs/objects/batch",
        token=token,
        headers={"Accept": LFS_JSON, "Content-Type": LFS_JSON},
        json_body={"operation": "upload", "transfers": transfers, "objects": objects},
    )
    assert answer.status == 200
    return answer.json()


def stored(repo, data: bytes) -> Path:
    """Where git-lfs looks for these bytes in the bare repository."""
    oid = sha256(data)
    return repo.git.path / "lfs/objects" / oid[:2] / oid[2:4] / oid


def leftovers(hub) -> set[str]:
    """Uploads that have not ended; what other tests broke off stays until its URLs expire."""
    return {
        entry.name
        for entry in (hub.root / "incoming").iterdir()
        if not entry.name.startswith("multipart-") or (entry / "object").exists()
    }


def test_the_client_uploads_in_parts(api, repo, mended, tmp_path):
    source = tmp_path / "large.bin"
    source.write_bytes(LARGE)
    before = leftovers(mended)
    commit = api.upload_file(path_or_fileobj=source, path_in_repo="large.bin", repo_id=repo.id)
    asked = mended.stats()["endpoints"]
    assert (asked["lfs-part"], asked["lfs-complete"], asked["lfs-verify"]) == (PARTS, 1, 1)
    assert "lfs-upload" not in asked
    assert repo.git.rev() == commit.oid
    assert repo.git.pointer("large.bin") == Pointer(sha256(LARGE), len(LARGE))
    assert stored(repo, LARGE).read_bytes() == LARGE
    assert Path(api.hf_hub_download(repo.id, "large.bin")).read_bytes() == LARGE
    assert leftovers(mended) == before


def test_one_commit_with_both_kinds_of_upload(repo, add, mended):
    files = {
        "small.bin": noise(5000, seed=1),
        "at-the-threshold.bin": noise(MULTIPART_THRESHOLD_BYTES, seed=2),
        "above-it.bin": noise(MULTIPART_THRESHOLD_BYTES + 1, seed=3),
    }
    add(repo, files)
    asked = mended.stats()["endpoints"]
    assert asked["lfs-upload"] == 2
    assert asked["lfs-part"] == -(-(MULTIPART_THRESHOLD_BYTES + 1) // PART_BYTES)
    for path, data in files.items():
        assert repo.git.pointer(path).sha256 == sha256(data)
        assert stored(repo, data).read_bytes() == data


@pytest.mark.parametrize("number", range(1, PARTS + 1))
@pytest.mark.parametrize("fault", [("--status", 503), ("--lose-answer",)], ids=["503", "lost"])
def test_a_part_that_failed_is_sent_again(repo, add, mended, fault, number):
    mended.add_fault(*fault, "--path", f"/multipart/*/{number}", "--count", 1)
    data = noise(len(LARGE), seed=100 + number)
    add(repo, {"large.bin": data})
    assert mended.stats()["endpoints"]["lfs-part"] == PARTS + 1
    assert stored(repo, data).read_bytes() == data


@pytest.mark.parametrize("fault", [("--status", 500), ("--lose-answer",)], ids=["500", "lost"])
def test_a_completion_that_failed_is_asked_again(repo, add, mended, fault):
    mended.add_fault(*fault, "--path", "/api/complete_multipart", "--count", 1)
    data = noise(len(LARGE), seed=7)
    add(repo, {"large.bin": data})
    assert mended.stats()["endpoints"]["lfs-complete"] == 2
    assert stored(repo, data).read_bytes() == data


def test_a_refused_part_ends_the_upload_and_the_next_one_succeeds(repo, add, mended):
    mended.add_fault("--expired", "--path", "/multipart/*/2", "--count", 1)
    before = repo.git.rev()
    data = noise(len(LARGE), seed=8)
    with pytest.raises(RuntimeError) as failed:
        add(repo, {"large.bin": data})
    assert isinstance(failed.value.__cause__, HfHubHTTPError)
    assert failed.value.__cause__.response.status_code == 403
    assert repo.git.rev() == before
    assert not stored(repo, data).exists()
    add(repo, {"large.bin": data})
    assert stored(repo, data).read_bytes() == data


def test_parts_in_any_order(repo, write_token):
    data = noise(len(LARGE), seed=9)
    [item] = batch(repo, write_token, {"oid": sha256(data), "size": len(data)})["objects"]
    header = item["actions"]["upload"]["header"]
    assert int(header.pop("chunk_size")) == PART_BYTES
    assert sorted(header) == [f"{number:05}" for number in range(1, PARTS + 1)]
    etags = {}
    for name in reversed(sorted(header)):
        start = (int(name) - 1) * PART_BYTES
        answer = wire.request("PUT", header[name], body=data[start : start + PART_BYTES])
        assert answer.status == 200
        etags[int(name)] = answer["ETag"]
    assert all(etags.values())
    answer = wire.request(
        "POST",
        item["actions"]["upload"]["href"],
        headers={"Content-Type": LFS_JSON},
        json_body={
            "oid": sha256(data),
            "parts": [{"partNumber": n, "etag": etags[n]} for n in sorted(etags)],
        },
    )
    assert answer.status == 200
    assert hashlib.sha256(stored(repo, data).read_bytes()).hexdigest() == sha256(data)
    [known] = batch(repo, write_token, {"oid": sha256(data), "size": len(data)})["objects"]
    assert "actions" not in known and "error" not in known


def test_a_client_that_knows_no_parts_uploads_the_whole(repo, write_token):
    data = noise(len(LARGE), seed=10)
    offer = batch(
        repo, write_token, {"oid": sha256(data), "size": len(data)}, transfers=["basic"]
    )
    assert offer["transfer"] == "basic"
    upload = offer["objects"][0]["actions"]["upload"]
    assert "chunk_size" not in upload["header"]
    assert wire.request("PUT", upload["href"], body=data).status == 200
    assert stored(repo, data).read_bytes() == data


def test_errors_are_told_object_by_object(repo, add, write_token):
    known = noise(5000, seed=11)
    add(repo, {"known.bin": known})
    fresh = {"oid": "a" * 64, "size": 10}
    bad = [
        {"oid": sha256(known), "size": len(known) + 1},
        {"oid": "B" * 64, "size": 10},
        {"oid": "c" * 63, "size": 10},
        {"oid": "d" * 64, "size": -1},
        {"oid": "e" * 64, "size": 50_000_000_001},
    ]
    answer = batch(repo, write_token, *bad, fresh)
    *errors, good = answer["objects"]
    for item in errors:
        assert item["error"]["code"] == 422
        assert item["error"]["message"]
        assert "actions" not in item
    assert "error" not in good and "upload" in good["actions"]


def test_the_client_names_an_object_the_hub_refuses(api, repo, add, hub):
    """Bytes on disk that are not what their name says: the object has another size."""
    data = noise(9000, seed=12)
    place = stored(repo, data)
    place.parent.mkdir(parents=True)
    place.write_bytes(data[:-1])
    with pytest.raises(ValueError, match="LFS|bytes"):
        api.create_commit(
            repo.id, [CommitOperationAdd("x.bin", data)], commit_message="x"
        )
    os.unlink(place)
    add(repo, {"x.bin": data})
    assert repo.git.pointer("x.bin").sha256 == sha256(data)
