"""Uploads: what becomes a git blob, what becomes an LFS object, and what is left out."""

import io
from pathlib import Path

import pytest
import wire
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from samples import INLINE_BYTES_MAX, MEBIBYTE, git_oid, noise, pointer_text, sha256, text


def test_a_small_text_file_is_a_git_blob(api, repo):
    before = repo.git.rev()
    commit = api.upload_file(
        path_or_fileobj=b"hello\n",
        path_in_repo="notes/hello.txt",
        repo_id=repo.id,
        commit_message="Say hello",
        commit_description="At some length.",
    )
    newest = repo.git.log()[0]
    assert newest.oid == commit.oid == repo.git.rev()
    assert newest.parents == (before,)
    assert (newest.title, newest.body) == ("Say hello", "At some length.")
    assert newest.author == "lab"
    assert repo.git.blob("notes/hello.txt") == b"hello\n"
    assert repo.git.tree()["notes/hello.txt"].mode == "100644"
    assert commit.commit_url == f"{repo.web_url}/commit/{commit.oid}"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("model.safetensors", b"plain text, but named in .gitattributes"),
        ("picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64)),
        ("long.txt", text(INLINE_BYTES_MAX + 1)),
    ],
    ids=["by name", "by its first bytes", "by size"],
)
def test_the_hubs_rule_sends_a_file_to_lfs(api, repo, tmp_path, path, data):
    source = tmp_path / "source"
    source.write_bytes(data)
    api.upload_file(path_or_fileobj=source, path_in_repo=path, repo_id=repo.id)
    assert repo.git.blob(path) == pointer_text(data)
    assert Path(api.hf_hub_download(repo.id, path)).read_bytes() == data
    assert repo.git.attribute("filter", path, tmp_path) == "lfs"


def test_text_of_the_largest_inline_size_stays_in_git(api, repo):
    data = text(INLINE_BYTES_MAX)
    api.upload_file(path_or_fileobj=data, path_in_repo="long.txt", repo_id=repo.id)
    assert repo.git.tree()["long.txt"].size == INLINE_BYTES_MAX
    assert repo.git.tree()["long.txt"].oid == git_oid(data)


def test_gitattributes_grows_only_by_what_it_does_not_cover(api, repo, tmp_path):
    before = repo.git.blob(".gitattributes")
    api.upload_file(path_or_fileobj=noise(999), path_in_repo="a.safetensors", repo_id=repo.id)
    assert repo.git.blob(".gitattributes") == before
    api.upload_file(path_or_fileobj=noise(999), path_in_repo="odd name.blob", repo_id=repo.id)
    after = repo.git.blob(".gitattributes")
    assert after.startswith(before.rstrip(b"\n"))
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    assert repo.git.attribute("filter", "odd name.blob", tmp_path) == "lfs"
    assert repo.git.attribute("text", "odd name.blob", tmp_path) == "unset"


def test_readers_as_source(api, repo):
    data = noise(3 * MEBIBYTE)
    api.upload_file(path_or_fileobj=io.BytesIO(data), path_in_repo="r.bin", repo_id=repo.id)
    assert repo.git.pointer("r.bin").sha256 == sha256(data)


def test_a_folder_with_a_large_file_is_one_commit(api, repo, tmp_path):
    files = {
        "README.md": b"---\nlicense: apache-2.0\n---\n# A model\n",
        "config.json": b'{"a": 1}\n',
        "weights/large.bin": noise(30 * MEBIBYTE, seed=1),
        "weights/small.bin": noise(70_000, seed=2),
        "nested/deeper/still/leaf.txt": b"leaf",
        "nested/empty": b"",
    }
    folder = tmp_path / "folder"
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    before = repo.git.rev()
    commit = api.upload_folder(repo_id=repo.id, folder_path=folder, commit_message="All of it")
    assert [entry.oid for entry in repo.git.log()] == [commit.oid, before]
    assert repo.git.files() == {".gitattributes", *files}
    for path, data in files.items():
        stored = pointer_text(data) if path.endswith(".bin") else data
        assert repo.git.blob(path) == stored
    fetched = api.snapshot_download(repo.id, local_dir=tmp_path / "fetched")
    for path, data in files.items():
        assert Path(f"{fetched}/{path}").read_bytes() == data


def test_delete_patterns_of_a_folder_upload(api, repo, add, tmp_path):
    add(repo, {"old/a.txt": b"a", "old/b.md": b"b", "kept.txt": b"k"})
    (tmp_path / "new.txt").write_bytes(b"n")
    api.upload_folder(
        repo_id=repo.id, folder_path=tmp_path, allow_patterns="new.txt", delete_patterns="old/*.txt"
    )
    assert repo.git.files() == {".gitattributes", "old/b.md", "kept.txt", "new.txt"}


def test_zero_byte_files_are_git_blobs_whatever_their_name(api, repo, add):
    add(repo, {"empty.txt": b"", "empty.safetensors": b""})
    for path in ("empty.txt", "empty.safetensors"):
        assert repo.git.tree()[path].oid == git_oid(b"")
        assert Path(api.hf_hub_download(repo.id, path)).read_bytes() == b""


def test_uploading_what_is_there_makes_no_commit(api, repo, add):
    files = {"a.txt": b"same\n", "b.bin": noise(5000)}
    head = add(repo, files).oid
    for path, data in files.items():
        done = api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo.id)
        assert done.oid == head
    assert repo.git.rev() == head


def test_a_known_content_is_not_uploaded_twice(api, repo, add, hub):
    data = noise(2 * MEBIBYTE, seed=5)
    add(repo, {"first.bin": data})
    hub.reset_stats()
    add(repo, {"second.bin": data})
    assert hub.bytes_received("lfs") < 100_000
    for path in ("first.bin", "second.bin"):
        assert repo.git.pointer(path).sha256 == sha256(data)
        assert Path(api.hf_hub_download(repo.id, path)).read_bytes() == data


def test_more_files_than_one_preupload_takes(repo, add):
    files = {f"many/{number:03}.txt": b"%d\n" % number for number in range(300)}
    add(repo, files)
    assert repo.git.files() == {".gitattributes", *files}
    assert len(repo.git.log()) == 2


def test_ignored_files_are_left_out(api, repo, add, tmp_path):
    add(repo, {".gitignore": b"*.log\n/build/\n"})
    for path in ("keep.txt", "debug.log", "build/x.txt", "sub/build/y.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    api.upload_folder(repo_id=repo.id, folder_path=tmp_path)
    assert repo.git.files() == {".gitattributes", ".gitignore", "keep.txt", "sub/build/y.txt"}


def test_a_gitignore_of_the_same_commit_counts(repo, add):
    add(repo, {".gitignore": b"*.tmp\n", "a.tmp": b"a", "b.txt": b"b"})
    assert repo.git.files() == {".gitattributes", ".gitignore", "b.txt"}


def test_readme_front_matter_is_checked(api, repo):
    good = b"---\nlicense: mit\ntags:\n- tiny\n---\n# Card\n"
    api.upload_file(path_or_fileobj=good, path_in_repo="README.md", repo_id=repo.id)
    assert repo.git.blob("README.md") == good


def test_upload_to_dataset_and_space(new_repo, api):
    for repo in (new_repo("dataset"), new_repo("space", space_sdk="docker")):
        data = noise(4000)
        commit = api.upload_file(
            path_or_fileobj=data, path_in_repo="d/x.bin", repo_id=repo.id, repo_type=repo.type
        )
        assert repo.git.rev() == commit.oid
        assert repo.git.pointer("d/x.bin").sha256 == sha256(data)
        assert commit.commit_url == f"{repo.web_url}/commit/{commit.oid}"


def test_an_lfs_object_is_stored_only_if_its_bytes_match(repo, write_token):
    data = noise(4096, seed=9)
    href = _upload_url(repo, write_token, sha256(data), len(data))
    wrong = wire.request("PUT", href, body=data[:-1] + b"x")
    assert 400 <= wrong.status < 500
    assert _upload_url(repo, write_token, sha256(data), len(data)) is not None
    assert wire.request("PUT", href, body=data).status == 200
    assert _upload_url(repo, write_token, sha256(data), len(data)) is None


def _upload_url(repo, token: str, oid: str, size: int) -> str | None:
    """Asks the LFS batch endpoint where to put an object; None where it is stored already."""
    answer = wire.request(
        "POST",
        f"{repo.web_url}.git/info/lfs/objects/batch",
        token=token,
        headers={
            "Accept": "application/vnd.git-lfs+json",
            "Content-Type": "application/vnd.git-lfs+json",
        },
        json_body={
            "operation": "upload",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "objects": [{"oid": oid, "size": size}],
        },
    )
    assert answer.status == 200
    assert answer["Content-Type"].startswith("application/vnd.git-lfs+json")
    [item] = answer.json()["objects"]
    return item["actions"]["upload"]["href"] if "actions" in item else None


def test_a_commit_without_its_lfs_object_is_refused(repo, write_token):
    before = repo.git.rev()
    missing = {"path": "x.bin", "algo": "sha256", "oid": "0" * 64, "size": 7}
    answer = wire.commit(
        repo.api_url, write_token, wire.inline_file("ok.txt"), ("lfsFile", missing)
    )
    assert answer.status == 400
    assert "LFS pointer pointed to a file that does not exist" in answer.json()["error"]
    assert "x.bin" in answer.json()["error"]
    assert repo.git.rev() == before


def test_an_upload_to_an_unknown_branch_is_refused(api, repo):
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(
            repo.id, [CommitOperationAdd("a.txt", b"a")], commit_message="x", revision="nowhere"
        )
    assert refused.value.response.status_code == 404
    assert set(repo.git.refs()) == {"refs/heads/main"}


BAD_METADATA = {
    "no YAML": "license: [mit\n",
    "a mapping cut short": 'license: "mit\n',
    "a list": "- license\n",
    "a licence that is a number": "license: 2\n",
    "tags that are no list": "tags: tiny\n",
    "a key twice": "license: mit\nlicense: mit\n",
}


@pytest.mark.parametrize("metadata", BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_bad_metadata_keeps_a_readme_out(api, repo, write_token, metadata):
    before = repo.git.rev()
    readme = f"---\n{metadata}---\n# Card\n".encode()
    with pytest.raises(ValueError, match="Invalid metadata in README.md"):
        api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=repo.id)
    answer = wire.commit(repo.api_url, write_token, wire.inline_file("README.md", readme))
    assert answer.status == 400
    assert "README.md" in answer.json()["error"]
    assert repo.git.rev() == before


def test_a_readme_without_metadata_is_warned_of(api, repo):
    with pytest.warns(UserWarning, match="metadata"):
        api.upload_file(path_or_fileobj=b"# Card\n", path_in_repo="README.md", repo_id=repo.id)
    assert repo.git.blob("README.md") == b"# Card\n"
