"""The HTTP below the client: redirects, ranges, validators, headers, and wrong requests."""

from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import wire
from repo import Repo
from samples import noise, sha256, text

TEXT = text(9000, seed=1)
LARGE = noise(300_000, seed=2)


@pytest.fixture(scope="module")
def sample(api, git_view, endpoint):
    from huggingface_hub import CommitOperationAdd

    api.create_repo("lab/wire")
    files = {"dir/a b.txt": TEXT, "large.bin": LARGE, "empty.txt": b""}
    operations = [CommitOperationAdd(path, data) for path, data in files.items()]
    api.create_commit("lab/wire", operations, commit_message="Files")
    return Repo("lab/wire", "model", git_view("lab/wire"), endpoint)


@pytest.fixture(scope="module")
def git_file(sample) -> str:
    """Where `resolve` sends a reader of a git file."""
    answer = wire.request("GET", f"{sample.web_url}/resolve/main/dir/a%20b.txt")
    return urljoin(sample.endpoint, answer["Location"])


@pytest.fixture(scope="module")
def lfs_file(sample) -> str:
    """Where `resolve` sends a reader of an LFS file."""
    answer = wire.request("GET", f"{sample.web_url}/resolve/main/large.bin")
    return urljoin(sample.endpoint, answer["Location"])


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_resolve_of_a_git_file(sample, method):
    answer = wire.request(method, f"{sample.web_url}/resolve/main/dir/a%20b.txt")
    oid, commit = sample.git.tree()["dir/a b.txt"].oid, sample.git.rev()
    assert answer.status == 307
    assert answer["Location"].startswith(f"/api/resolve-cache/models/lab/wire/{commit}/dir/")
    assert answer["X-Repo-Commit"] == commit
    assert answer["X-Linked-ETag"] == f'"{oid}"'
    assert answer["Accept-Ranges"] == "bytes"
    if method == "HEAD":
        assert answer.body == b""
    target = wire.request(method, urljoin(sample.endpoint, answer["Location"]))
    assert target.status == 200
    assert target["ETag"] == f'"{oid}"'
    assert target["X-Repo-Commit"] == commit
    assert target["Content-Length"] == str(len(TEXT))
    assert target.body == (TEXT if method == "GET" else b"")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_resolve_of_an_lfs_file(sample, hub, method):
    answer = wire.request(method, f"{sample.web_url}/resolve/main/large.bin")
    assert answer.status == 302
    assert urlsplit(answer["Location"]).netloc == urlsplit(hub.address.cdn).netloc
    assert answer["X-Repo-Commit"] == sample.git.rev()
    assert answer["X-Linked-Size"] == str(len(LARGE))
    assert answer["X-Linked-ETag"] == f'"{sha256(LARGE)}"'
    assert answer["X-Xet-Hash"] is None
    assert "xet" not in (answer["Link"] or "")
    if method == "HEAD":
        assert answer.body == b""
    target = wire.request(method, answer["Location"])
    assert target.status == 200
    assert target["Content-Length"] == str(len(LARGE))
    assert target.body == (LARGE if method == "GET" else b"")


def test_raw_shows_what_git_holds(sample):
    assert wire.request("GET", f"{sample.web_url}/raw/main/dir/a%20b.txt").body == TEXT
    pointer = wire.request("GET", f"{sample.web_url}/raw/main/large.bin").body
    assert pointer == sample.git.blob("large.bin")


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=10-19", 10, 20),
    ("bytes=8990-", 8990, None),
    ("bytes=-7", -7, None),
    ("bytes=0-", 0, None),
    ("bytes=5-99999999", 5, None),
    ("bytes=-99999999", 0, None),
]


@pytest.mark.parametrize(("spelling", "start", "end"), RANGES)
@pytest.mark.parametrize("which", ["git", "lfs"])
def test_ranges(request, which, spelling, start, end):
    url = request.getfixturevalue(f"{which}_file")
    data = TEXT if which == "git" else LARGE
    first = start % len(data) if start < 0 else start
    last = (len(data) if end is None else end) - 1
    answer = wire.request("GET", url, headers={"Range": spelling})
    assert answer.status == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
    assert answer["Content-Length"] == str(last - first + 1)
    assert answer.body == data[start:end]


@pytest.mark.parametrize("which", ["git", "lfs"])
def test_a_range_beyond_the_end(request, which):
    url = request.getfixturevalue(f"{which}_file")
    size = len(TEXT if which == "git" else LARGE)
    answer = wire.request("GET", url, headers={"Range": f"bytes={size}-"})
    assert answer.status == 416
    assert answer["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("spelling", ["bytes=9-5", "bytes=x-y", "lines=1-2", "bytes="])
def test_a_range_that_is_none_is_ignored(git_file, spelling):
    answer = wire.request("GET", git_file, headers={"Range": spelling})
    assert (answer.status, answer.body) == (200, TEXT)


def test_bytes_are_never_compressed(git_file, lfs_file):
    for url, data in ((git_file, TEXT), (lfs_file, LARGE)):
        answer = wire.request("GET", url, headers={"Accept-Encoding": "gzip, deflate, br"})
        assert answer["Content-Encoding"] is None
        assert answer.body == data


def test_if_none_match(sample, git_file):
    oid = sample.git.tree()["dir/a b.txt"].oid
    for spelling in (f'"{oid}"', f'W/"{oid}"', f'"other", "{oid}"', "*"):
        answer = wire.request("GET", git_file, headers={"If-None-Match": spelling})
        assert (answer.status, answer.body) == (304, b"")
    assert wire.request("GET", git_file, headers={"If-None-Match": '"other"'}).status == 200
    resolve = f"{sample.web_url}/resolve/main/large.bin"
    answer = wire.request("GET", resolve, headers={"If-None-Match": f'"{sha256(LARGE)}"'})
    assert answer.status == 304


def test_a_zero_byte_file(sample):
    answer = wire.request("HEAD", f"{sample.web_url}/resolve/main/empty.txt")
    target = wire.request("GET", urljoin(sample.endpoint, answer["Location"]))
    assert (target.status, target["Content-Length"], target.body) == (200, "0", b"")


def test_a_signed_url_is_refused_when_touched(lfs_file):
    assert wire.request("GET", lfs_file).status == 200
    parts = urlsplit(lfs_file)
    assert wire.request("GET", lfs_file.replace(f"?{parts.query}", "")).status == 403
    for old, new in [("Signature=", "Signature=0"), ("Expires=", "Expires=9"), ("/lab/", "/lob/")]:
        assert old in lfs_file
        assert wire.request("GET", lfs_file.replace(old, new)).status == 403


@pytest.mark.parametrize(
    ("suffix", "quota_class"),
    [("api/models/lab/wire", "api"), ("lab/wire/resolve/main/large.bin", "resolvers")],
)
def test_every_answer_tells_the_quota(endpoint, sample, suffix, quota_class):
    answer = wire.request("GET", f"{endpoint}/{suffix}")
    assert answer["RateLimit"].startswith(f'"{quota_class}";r=')
    assert f'"{quota_class}";q=' in answer["RateLimit-Policy"]


NOTHING_THERE = [
    "/api",
    "/api/never",
    "/api/models/lab/wire/never",
    "/api/never/lab/wire",
    "/lab/wire/never/main/x",
    "/api/models/lab/wire/xet-read-token/main",
    "/api/resolve-cache/models/lab/wire/main",
    "/api/agent-harnesses",
    "/..%2f..%2fhub.sqlite",
    "/models/lab/wire.git/HEAD",
]


@pytest.mark.parametrize("path", NOTHING_THERE)
def test_unknown_paths_are_404(endpoint, sample, path):
    assert wire.request("GET", endpoint + path).status == 404


@pytest.mark.parametrize("path", ["../../hub.sqlite", "..%2f..%2f..%2fhub.sqlite", ".git/HEAD"])
def test_no_path_leads_out_of_a_repo(sample, path):
    answer = wire.request("GET", f"{sample.web_url}/resolve/main/{path}")
    assert answer.status in (400, 404)


def test_a_resolve_error_is_plain_text_with_a_code(sample):
    answer = wire.request("GET", f"{sample.web_url}/resolve/main/never-made")
    assert (answer.status, answer["X-Error-Code"]) == (404, "EntryNotFound")
    assert answer["X-Repo-Commit"] == sample.git.rev()
    assert answer["Content-Type"].startswith("text/plain")
    answer = wire.request("GET", f"{sample.web_url}/resolve/never-made/large.bin")
    assert (answer.status, answer["X-Error-Code"]) == (404, "RevisionNotFound")


def test_an_api_error_is_json_with_a_code(sample):
    answer = wire.request("GET", f"{sample.api_url}/revision/never-made")
    assert (answer.status, answer["X-Error-Code"]) == (404, "RevisionNotFound")
    assert answer.json()["error"] == answer["X-Error-Message"] == "Invalid rev id: never-made"


WRONG_BODIES = {
    "preupload": ("/preupload/main", {"files": "no list"}),
    "preupload file": ("/preupload/main", {"files": [{"size": 1}]}),
    "paths-info": ("/paths-info/main", {"paths": 7}),
    "tag": ("/tag/main", {"name": "the key is tag"}),
}


@pytest.mark.parametrize(("path", "body"), WRONG_BODIES.values(), ids=WRONG_BODIES.keys())
def test_wrong_bodies_are_refused(sample, write_token, path, body):
    answer = wire.request("POST", sample.api_url + path, token=write_token, json_body=body)
    assert answer.status in (400, 422)
    assert answer.json()["error"]


def test_an_upload_broken_off_leaves_nothing(sample, hub, write_token):
    data = noise(100_000, seed=7)
    batch = {
        "operation": "upload",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": sha256(data), "size": len(data)}],
    }
    url = f"{sample.web_url}.git/info/lfs/objects/batch"
    offered = wire.request("POST", url, token=write_token, json_body=batch).json()["objects"][0]
    href = offered["actions"]["upload"]["href"]
    wire.break_off("PUT", href, data, sent=50_000, headers={})
    again = wire.request("POST", url, token=write_token, json_body=batch).json()["objects"][0]
    assert "actions" in again
    verify = wire.request(
        "POST",
        f"{sample.web_url}.git/info/lfs/verify",
        token=write_token,
        json_body={"oid": sha256(data), "size": len(data)},
    )
    assert verify.status == 404


def test_a_renamed_letter_case_and_a_one_segment_id_redirect(api, endpoint, sample, tmp_path):
    for spelling in ("LAB/Wire", "wire"):
        answer = wire.request("GET", f"{endpoint}/api/models/{spelling}?blobs=true")
        assert answer.status == 307
        assert answer["Location"] == "/api/models/lab/wire?blobs=true"
        answer = wire.request("GET", f"{endpoint}/{spelling}/resolve/main/large.bin")
        assert answer.status == 307
        assert answer["Location"] == "/lab/wire/resolve/main/large.bin"
    assert api.model_info("wire").id == "lab/wire"
    local = api.hf_hub_download("wire", "large.bin", cache_dir=tmp_path)
    assert Path(local).read_bytes() == LARGE
    [entry] = api.get_paths_info("wire", ["large.bin"])
    assert entry.lfs.sha256 == sha256(LARGE)


def test_an_alias_redirects(hub, api, endpoint, sample):
    hub.run("repo", "alias", "--root", hub.root, "lab/wire", "old-ns/old-name")
    answer = wire.request("GET", f"{endpoint}/api/models/old-ns/old-name/tree/main")
    assert (answer.status, answer["Location"]) == (307, "/api/models/lab/wire/tree/main")
    assert api.model_info("old-ns/old-name").id == "lab/wire"
