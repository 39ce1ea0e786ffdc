"""Branches, tags, pull request refs, commits by prefix, and history."""

import datetime
from pathlib import Path

import pytest
import wire
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError


def test_branches_come_and_go(api, repo, add):
    first = repo.git.rev()
    second = add(repo, {"a.txt": b"a"}).oid
    api.create_branch(repo.id, branch="from-head")
    api.create_branch(repo.id, branch="from-commit", revision=first)
    api.create_branch(repo.id, branch="feat/with-slash", revision="from-commit")
    assert repo.git.refs() == {
        "refs/heads/main": second,
        "refs/heads/from-head": second,
        "refs/heads/from-commit": first,
        "refs/heads/feat/with-slash": first,
    }
    api.delete_branch(repo.id, branch="from-head")
    api.delete_branch(repo.id, branch="feat/with-slash")
    assert set(repo.git.refs()) == {"refs/heads/main", "refs/heads/from-commit"}


def test_what_branches_refuse(api, repo):
    api.create_branch(repo.id, branch="twice")
    before = repo.git.refs()
    assert _status(api.create_branch, repo.id, branch="twice") == 409
    api.create_branch(repo.id, branch="twice", exist_ok=True)
    assert _status(api.create_branch, repo.id, branch="refs/odd") == 400
    assert _status(api.create_branch, repo.id, branch="b", revision="never-made") == 404
    assert _status(api.delete_branch, repo.id, branch="never-made") == 404
    assert 400 <= _status(api.delete_branch, repo.id, branch="main") < 500
    assert repo.git.refs() == before


def test_a_commit_to_a_branch_leaves_main_alone(api, repo, add):
    main = repo.git.rev()
    api.create_branch(repo.id, branch="feat/x")
    commit = add(repo, {"a.txt": b"on the branch"}, revision="feat/x")
    assert repo.git.refs() == {"refs/heads/main": main, "refs/heads/feat/x": commit.oid}
    local = api.hf_hub_download(repo.id, "a.txt", revision="feat/x")
    assert Path(local).read_bytes() == b"on the branch"
    assert not api.file_exists(repo.id, "a.txt")
    assert api.repo_info(repo.id, revision="feat/x").sha == commit.oid


def test_tags(api, repo, add):
    first = repo.git.rev()
    add(repo, {"a.txt": b"a"})
    api.create_tag(repo.id, tag="v1", revision=first)
    api.create_tag(repo.id, tag="v2", tag_message="The second one")
    assert repo.git.rev("refs/tags/v1") == first
    assert repo.git.rev("refs/tags/v2") == repo.git.rev()
    assert b"The second one" in repo.git.run("cat-file", "tag", "v2")
    assert {entry.path for entry in api.list_repo_tree(repo.id, revision="v1")} == {
        ".gitattributes"
    }
    assert api.repo_info(repo.id, revision="v2").sha == repo.git.rev()
    assert _status(api.create_tag, repo.id, tag="v1") == 409
    api.create_tag(repo.id, tag="v1", exist_ok=True)
    assert repo.git.rev("refs/tags/v1") == first
    assert _status(api.create_tag, repo.id, tag="v3", revision="never-made") == 404
    api.delete_tag(repo.id, tag="v1")
    assert _status(api.delete_tag, repo.id, tag="v1") == 404
    assert set(repo.git.refs()) == {"refs/heads/main", "refs/tags/v2"}


def test_refs_are_gits(api, repo, add):
    first = repo.git.rev()
    add(repo, {"a.txt": b"a"})
    api.create_branch(repo.id, branch="dev", revision=first)
    api.create_tag(repo.id, tag="v1", tag_message="annotated", revision=first)
    repo.git.run("update-ref", "refs/pr/1", first)
    repo.git.run("update-ref", "refs/convert/parquet", first)
    refs = api.list_repo_refs(repo.id, include_pull_requests=True)
    listed = [*refs.branches, *refs.tags, *refs.converts, *refs.pull_requests]
    assert {entry.ref: entry.target_commit for entry in listed} == repo.git.refs()
    assert {entry.name for entry in refs.branches} == {"main", "dev"}
    assert [entry.name for entry in refs.tags] == ["v1"]
    assert [entry.name for entry in refs.converts] == ["parquet"]
    assert [entry.name for entry in refs.pull_requests] == ["1"]
    assert api.list_repo_refs(repo.id).pull_requests is None


@pytest.fixture
def history(repo, add):
    """A repo with an older and a newer commit of one file, and every kind of ref to the older."""
    old = add(repo, {"a.txt": b"old"}).oid
    repo.git.run("update-ref", "refs/heads/dev/line", old)
    repo.git.run("update-ref", "refs/tags/v1.0", old)
    repo.git.run("update-ref", "refs/pr/7", old)
    repo.git.run("update-ref", "refs/convert/parquet", old)
    add(repo, {"a.txt": b"new"})
    return repo, old


SPELLINGS = [
    "{commit}",
    "{commit:.7}",
    "{commit:.12}",
    "dev/line",
    "v1.0",
    "refs/pr/7",
    "refs/convert/parquet",
    "refs/heads/dev/line",
    "refs/tags/v1.0",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_revision(api, history, tmp_path, spelling):
    repo, old = history
    revision = spelling.format(commit=old)
    assert api.repo_info(repo.id, revision=revision).sha == old
    [entry] = api.get_paths_info(repo.id, "a.txt", revision=revision)
    assert entry.blob_id == repo.git.tree(old)["a.txt"].oid
    local = api.hf_hub_download(repo.id, "a.txt", revision=revision, cache_dir=tmp_path)
    assert Path(local).read_bytes() == b"old"
    assert f"/snapshots/{old}/" in local
    assert api.list_repo_commits(repo.id, revision=revision)[0].commit_id == old


@pytest.mark.parametrize(
    "revision", ["never-made", "f" * 40, "refs/pr/99", "main~1", "main^", "HEAD:a.txt", "-x", "@"]
)
def test_unknown_revisions(api, history, revision):
    repo, _ = history
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(repo.id, revision=revision)
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(repo.id, revision=revision))


def test_a_slash_in_a_revision_must_be_encoded(history):
    repo, _ = history
    answer = wire.request("GET", f"{repo.api_url}/tree/refs/pr/7")
    assert (answer.status, answer["X-Error-Code"]) == (404, "RevisionNotFound")


def test_commits_are_gits_log(api, repo, add):
    for number in range(3):
        add(
            repo,
            {"a.txt": b"%d" % number},
            message=f"Commit {number}",
            commit_description=f"Because of {number}.\n\nAnd more.",
        )
    commits = api.list_repo_commits(repo.id)
    log = repo.git.log()
    assert [entry.commit_id for entry in commits] == [entry.oid for entry in log]
    for entry, truth in zip(commits, log, strict=True):
        assert entry.title == truth.title
        assert entry.message == truth.body
        assert truth.author in entry.authors
        assert entry.created_at == datetime.datetime.fromtimestamp(truth.timestamp, datetime.UTC)


def test_commits_come_in_pages(repo, add, endpoint):
    for number in range(6):
        add(repo, {"a.txt": b"%d" % number})
    url = f"{repo.api_url}/commits/main?limit=3"
    seen, totals = [], set()
    while url:
        answer = wire.request("GET", url)
        assert answer.status == 200
        seen += [item["id"] for item in answer.json()]
        totals.add(answer["X-Total-Count"])
        url = wire.next_link(answer)
        assert url is None or url.startswith(f"{endpoint}/api/")
    assert seen == [entry.oid for entry in repo.git.log()]
    assert totals == {"7"}


def _status(call, *arguments, **options) -> int:
    """The HTTP status that a call of the client is refused with."""
    with pytest.raises(HfHubHTTPError) as refused:
        call(*arguments, **options)
    return refused.value.response.status_code
