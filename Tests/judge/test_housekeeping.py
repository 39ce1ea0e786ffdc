"""Comparing, squashing, renaming repos, and the LFS objects a repo keeps."""

import subprocess
from pathlib import Path

import pytest
import wire
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from samples import noise, sha256, text


# Comparing


@pytest.fixture
def changed(api, repo, add):
    """A repo with every kind of change between the tag `v1` and main."""
    long = text(3000, seed=1)
    add(
        repo,
        {
            "edit.txt": b"one\ntwo\n",
            "gone.txt": b"gone\n",
            "moved.txt": long,
            "w.bin": noise(4000, seed=1),
            "same": b"same",
        },
    )
    api.create_tag(repo.id, tag="v1")
    api.create_commit(
        repo.id,
        [
            CommitOperationAdd("edit.txt", b"one\n2\n"),
            CommitOperationDelete("gone.txt"),
            CommitOperationDelete("moved.txt"),
            CommitOperationAdd("d/here.txt", long),
            CommitOperationAdd("w.bin", noise(5000, seed=2)),
            CommitOperationAdd("new ünicode.txt", b"n\n"),
        ],
        commit_message="Everything",
    )
    return repo


def test_the_text_is_gits_own(changed):
    answer = wire.request("GET", f"{changed.api_url}/compare/v1..main")
    assert answer.status == 200
    assert answer["Content-Type"].startswith("text/plain")
    expected = changed.git.run("-c", "core.quotePath=false", "diff", "-M", "v1", "main")
    assert answer.body == expected
    same = wire.request("GET", f"{changed.api_url}/compare/main..main")
    assert (same.status, same.body) == (200, b"")


def test_raw_lists_each_file_in_a_line(changed):
    answer = wire.request("GET", f"{changed.api_url}/compare/v1..{changed.git.rev()}?raw=true")
    assert answer.status == 200
    lines = answer.body.decode().splitlines()
    old, new = changed.git.tree("v1"), changed.git.tree("main")
    none = "0" * 40

    def line(status, before, after, path):
        modes = [side.mode if side else "000000" for side in (before, after)]
        oids = [(side.oid if side else none) + "..." for side in (before, after)]
        size = after.size if after else 0
        return f"T {size}\t:{' '.join(modes + oids)} {status}\t{path}"

    assert sorted(lines) == sorted(
        [
            line("M", old["edit.txt"], new["edit.txt"], "edit.txt"),
            line("D", old["gone.txt"], None, "gone.txt"),
            line("R100", old["moved.txt"], new["d/here.txt"], "moved.txt\td/here.txt"),
            line("M", old["w.bin"], new["w.bin"], "w.bin"),
            line("A", None, new["new ünicode.txt"], "new ünicode.txt"),
        ]
    )


def test_pull_requests_and_slashes_are_compared(api, changed):
    api.create_branch(changed.id, branch="feat/x", revision="v1")
    answer = wire.request("GET", f"{changed.api_url}/compare/feat%2Fx..main?raw=true")
    assert len(answer.body.splitlines()) == 5


@pytest.mark.parametrize("range", ["v1..nowhere", "nowhere..v1", "v1...main", "..main", "v1.."])
def test_both_sides_must_be_revisions(changed, range):
    answer = wire.request("GET", f"{changed.api_url}/compare/{range}")
    assert (answer.status, answer["X-Error-Code"]) == (404, "RevisionNotFound")


def test_a_range_has_two_dots(changed):
    assert wire.request("GET", f"{changed.api_url}/compare/main").status == 400


# Squashing


def test_squashing_leaves_one_commit_with_the_same_files(api, repo, add):
    add(repo, {"a.txt": b"1", "b.bin": noise(4000)})
    old = add(repo, {"a.txt": b"2"}).oid
    before = repo.git.tree()
    api.super_squash_history(repo.id, commit_message="Begin anew")
    [commit] = repo.git.log()
    assert (commit.title, commit.parents) == ("Begin anew", ())
    assert repo.git.tree() == before
    assert [entry.commit_id for entry in api.list_repo_commits(repo.id)] == [commit.oid]
    assert Path(api.hf_hub_download(repo.id, "b.bin", revision=commit.oid)).exists()
    for revision in (old, old[:10]):
        with pytest.raises(RevisionNotFoundError):
            api.model_info(repo.id, revision=revision)
    with pytest.raises(HfHubHTTPError) as refused:
        add(repo, {"a.txt": b"3"}, parent_commit=old)
    assert refused.value.response.status_code == 412


def test_what_another_ref_still_has_is_not_lost(api, repo, add):
    first = add(repo, {"a.txt": b"1"}).oid
    api.create_tag(repo.id, tag="v1")
    second = add(repo, {"a.txt": b"2"}).oid
    api.super_squash_history(repo.id)
    assert api.model_info(repo.id, revision="v1").sha == first
    assert api.model_info(repo.id, revision=first).sha == first
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo.id, revision=second)


def test_only_branches_are_squashed(api, repo, add):
    add(repo, {"a.txt": b"1"})
    api.create_tag(repo.id, tag="v1")
    refs = repo.git.refs()
    with pytest.raises(BadRequestError):
        api.super_squash_history(repo.id, branch="v1")
    with pytest.raises(BadRequestError):
        api.super_squash_history(repo.id, branch="refs/pr/1")
    with pytest.raises(RevisionNotFoundError):
        api.super_squash_history(repo.id, branch="never-made")
    assert repo.git.refs() == refs


def test_a_pull_request_survives_a_squash_of_its_target(api, repo, add):
    add(repo, {"a.txt": b"1\n"})
    pull = api.create_commit(
        repo.id,
        [CommitOperationAdd("b.txt", b"b")],
        commit_message="Add b",
        create_pr=True,
    )
    api.super_squash_history(repo.id)
    assert api.model_info(repo.id, revision=pull.oid).sha == pull.oid
    api.merge_pull_request(repo.id, 1)
    assert repo.git.files() == {".gitattributes", "a.txt", "b.txt"}
    assert len(repo.git.log()) == 2


# Renaming


def test_a_renamed_repo_is_found_by_its_old_name(api, new_repo, add, git_view, tmp_path):
    repo = new_repo(name="before")
    data = noise(9 << 20, seed=4)
    commit = add(repo, {"a.txt": b"a", "b.bin": data})
    api.create_discussion(repo.id, "Talk")
    api.move_repo("lab/before", "lab/after")
    assert not repo.git.path.exists()
    git = git_view("lab/after")
    assert git.rev() == commit.oid

    for name in ("lab/before", "lab/after"):
        info = api.model_info(name)
        assert (info.id, info.sha) == ("lab/after", commit.oid)
        got = api.hf_hub_download(name, "b.bin", cache_dir=tmp_path / name)
        assert Path(got).read_bytes() == data
        assert {entry.path for entry in api.list_repo_tree(name)} == git.files()
        assert [entry.num for entry in api.get_repo_discussions(name)] == [1]
    more = noise(10 << 20, seed=5)
    written = api.create_commit(
        "lab/before",
        [CommitOperationAdd("c.bin", more), CommitOperationAdd("d.txt", b"d")],
        commit_message="By the old name",
    )
    assert git.rev() == written.oid
    assert git.pointer("c.bin").sha256 == sha256(more)
    raw = wire.request("GET", f"{repo.api_url}/tree/main?recursive=true")
    assert raw.status == 307
    assert raw["Location"] == "/api/models/lab/after/tree/main?recursive=true"
    git.fsck()


def test_names_lead_on_and_may_be_used_again(api, new_repo, git_view):
    new_repo("dataset", name="first")
    api.move_repo("lab/first", "lab/second", repo_type="dataset")
    api.move_repo("lab/second", "elsewhere/third", repo_type="dataset")
    git = git_view("elsewhere/third", "dataset")
    for name in ("lab/first", "lab/second", "elsewhere/third"):
        assert api.dataset_info(name).id == "elsewhere/third"
    # Another one of the old name comes before the redirect.
    api.create_repo("lab/first", repo_type="dataset")
    assert api.dataset_info("lab/first").id == "lab/first"
    assert api.dataset_info("lab/second").id == "elsewhere/third"
    api.delete_repo("lab/first", repo_type="dataset")
    assert api.dataset_info("lab/first").id == "elsewhere/third"
    git.fsck()


def test_renaming_asks_for_the_right_in_both_places(api, repo, new_repo, outsider, anonymous):
    other = new_repo()
    refusals = [
        (outsider, repo.id, "elsewhere/mine", 403),
        (anonymous, repo.id, "lab/x", 401),
        (api, repo.id, other.id, 409),
        (api, repo.id, repo.id, 409),
        (api, repo.id, "lab/a--b", 400),
    ]
    for client, old, new, status in refusals:
        with pytest.raises(HfHubHTTPError) as refused:
            client.move_repo(old, new)
        assert refused.value.response.status_code == status, (old, new)
    with pytest.raises(RepositoryNotFoundError):
        api.move_repo("lab/never-made", "lab/x")
    assert api.model_info(repo.id).id == repo.id


def test_a_change_of_letter_case(api, new_repo, git_view):
    new_repo(name="casing")
    api.move_repo("lab/casing", "lab/Casing")
    assert api.model_info("lab/casing").id == "lab/Casing"
    assert git_view("lab/Casing").files() == {".gitattributes"}


# LFS objects


@pytest.fixture
def stored(repo, add):
    """A repo with LFS objects at one path, at two, and in its past only."""
    contents = {name: noise(4000, seed=number) for number, name in enumerate("abc")}
    add(repo, {"a.bin": contents["a"], "b.bin": contents["b"], "d/b2.bin": contents["b"]})
    add(repo, {"a.bin": contents["c"], "note.txt": b"kept\n"})
    return repo, contents


def test_all_objects_are_listed_also_former_ones(api, stored):
    repo, contents = stored
    found = {entry.file_oid: entry for entry in api.list_lfs_files(repo.id)}
    assert found.keys() == {sha256(data) for data in contents.values()}
    assert {entry.filename for entry in found.values()} == {"a.bin", "b.bin"}
    for data in contents.values():
        entry = found[sha256(data)]
        assert (entry.oid, entry.size) == (sha256(data), len(data))


def test_the_list_comes_in_pages(api, repo, add, write_token):
    files = {f"{number}.bin": noise(200, seed=number) for number in range(7)}
    add(repo, files)
    url, oids = f"{repo.api_url}/lfs-files?limit=3", []
    pages = 0
    while url:
        answer = wire.request("GET", url, token=write_token)
        oids += [item["fileOid"] for item in answer.json()]
        url = wire.next_link(answer)
        pages += 1
    assert (pages, len(oids)) == (3, 7)
    assert set(oids) == {sha256(data) for data in files.values()}


def test_deleting_rewrites_the_history(api, stored, tmp_path):
    repo, contents = stored
    api.create_branch(repo.id, branch="other")
    api.create_tag(repo.id, tag="annotated", tag_message="With a message")
    old = [commit.oid for commit in repo.git.log()]
    titles = [commit.title for commit in repo.git.log()]
    victims = [entry for entry in api.list_lfs_files(repo.id) if entry.filename == "b.bin"]
    api.permanently_delete_lfs_files(repo.id, victims)
    for revision in ("main", "other", "annotated", "main~1"):
        assert "b.bin" not in repo.git.files(revision)
        assert "d/b2.bin" not in repo.git.files(revision)
    assert repo.git.files() == {".gitattributes", "a.bin", "note.txt"}
    assert repo.git.pointer("a.bin").sha256 == sha256(contents["c"])
    assert repo.git.pointer("a.bin", "main~1").sha256 == sha256(contents["a"])
    assert [commit.title for commit in repo.git.log()] == titles
    assert repo.git.rev() == repo.git.rev("other") == repo.git.rev("annotated")
    left = {entry.file_oid for entry in api.list_lfs_files(repo.id)}
    assert left == {sha256(contents["a"]), sha256(contents["c"])}
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo.id, revision=old[0])
    assert api.model_info(repo.id, revision=old[-1]).sha == old[-1], "it never had the file"
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", "main", repo.git.path, clone],
        check=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "GIT_LFS_SKIP_SMUDGE": "1", "HOME": str(tmp_path)},
    )
    assert (clone / "note.txt").read_bytes() == b"kept\n"


def test_deleting_without_rewriting_leaves_the_pointers(api, stored, tmp_path):
    repo, contents = stored
    head = repo.git.rev()
    victims = [entry for entry in api.list_lfs_files(repo.id) if entry.filename == "b.bin"]
    api.permanently_delete_lfs_files(repo.id, victims, rewrite_history=False)
    assert repo.git.rev() == head
    assert repo.git.pointer("b.bin").sha256 == sha256(contents["b"])
    with pytest.raises(HfHubHTTPError):
        api.hf_hub_download(repo.id, "b.bin", cache_dir=tmp_path)


def test_deleting_one_by_its_name(repo, add, write_token):
    data = noise(3000, seed=8)
    add(repo, {"a.bin": data})
    url = f"{repo.api_url}/lfs-files/{sha256(data)}?rewriteHistory=true"
    assert wire.request("DELETE", url).status == 401
    assert wire.request("DELETE", url, token=write_token).status == 200
    assert repo.git.files() == {".gitattributes"}
    assert wire.request("DELETE", url, token=write_token).status == 404


def test_objects_are_copied_to_another_repo(api, new_repo, add, write_token, outsider_token, hub):
    source, target = new_repo(), new_repo("dataset")
    data = noise(6000, seed=9)
    add(source, {"a.bin": data})
    url = f"{source.api_url}/lfs-files/duplicate"
    body = {
        "target": {"type": "dataset", "name": target.id},
        "files": [
            {"sha256": sha256(data), "filename": "a.bin"},
            {"sha256": "0" * 64, "filename": "none.bin"},
        ],
    }
    assert wire.request("POST", url, token=outsider_token, json_body=body).status == 403
    answer = wire.request("POST", url, token=write_token, json_body=body)
    assert answer.status == 200
    assert [failure["sha256"] for failure in answer.json()["failed"]] == ["0" * 64]
    hub.reset_stats()
    add(target, {"copy.bin": data})
    assert "lfs-upload" not in hub.stats()["endpoints"]
    assert target.git.pointer("copy.bin").sha256 == sha256(data)
