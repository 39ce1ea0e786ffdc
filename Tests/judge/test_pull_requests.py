"""Pull requests and discussions: opened, talked in, merged, closed, and what git sees of them."""

import re
from pathlib import Path

import pytest
import wire
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError
from samples import noise, sha256


def add_file(path: str, data: bytes) -> list[CommitOperationAdd]:
    return [CommitOperationAdd(path, data)]


@pytest.fixture
def propose(api):
    """Opens a pull request by a commit: propose(repo, {"a.txt": b"…"}). Returns the CommitInfo."""

    def commit(repo, files: dict[str, bytes], message: str = "Propose files", by=api, **options):
        operations = [CommitOperationAdd(path, data) for path, data in files.items()]
        return by.create_commit(
            repo.id,
            operations,
            commit_message=message,
            repo_type=repo.type,
            create_pr=True,
            **options,
        )

    return commit


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_commit_opens_a_pull_request(api, new_repo, add, propose, kind):
    repo = new_repo(kind)
    head = add(repo, {"a.txt": b"one\n"}).oid
    data = noise(5000, seed=1)
    commit = propose(
        repo,
        {"a.txt": b"two\n", "b.bin": data},
        "Change a, add b",
        commit_description="In detail.",
    )
    assert (commit.pr_revision, commit.pr_num) == ("refs/pr/1", 1)
    assert commit.pr_url == f"{repo.web_url}/discussions/1"
    assert repo.git.refs() == {"refs/heads/main": head, "refs/pr/1": commit.oid}
    newest = repo.git.log("refs/pr/1")[0]
    assert (newest.parents, newest.title, newest.body) == ((head,), "Change a, add b", "In detail.")
    assert repo.git.blob("a.txt", "refs/pr/1") == b"two\n"
    assert repo.git.pointer("b.bin", "refs/pr/1").sha256 == sha256(data)
    assert repo.git.blob("a.txt") == b"one\n"

    details = api.get_discussion_details(repo.id, 1, repo_type=kind)
    assert (details.title, details.status, details.author) == ("Change a, add b", "open", "lab")
    assert (details.is_pull_request, details.target_branch) == (True, "refs/heads/main")
    assert (details.repo_id, details.repo_type) == (repo.id, kind)
    assert (details.conflicting_files, details.merge_commit_oid) == ([], None)
    assert details.git_reference == "refs/pr/1"
    comment, event = details.events
    assert (comment.type, comment.content) == ("comment", "In detail.")
    assert (event.type, event.oid, event.summary) == ("commit", commit.oid, "Change a, add b")
    assert "-one\n+two\n" in details.diff


def test_its_revision_is_read_like_any_other(api, repo, add, propose):
    add(repo, {"a.txt": b"main\n", "gone.txt": b"g"})
    data = noise(4000, seed=2)
    pull = propose(repo, {"a.txt": b"proposed\n", "d/b.bin": data})
    listed = {entry.path for entry in api.list_repo_tree(repo.id, revision=pull.pr_revision)}
    assert listed == {".gitattributes", "a.txt", "gone.txt", "d"}
    assert api.model_info(repo.id, revision=pull.pr_revision).sha == pull.oid
    got = api.hf_hub_download(repo.id, "a.txt", revision=pull.pr_revision)
    assert Path(got).read_bytes() == b"proposed\n"
    got = api.hf_hub_download(repo.id, "d/b.bin", revision=pull.pr_revision)
    assert Path(got).read_bytes() == data
    refs = api.list_repo_refs(repo.id, include_pull_requests=True)
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.pull_requests] == [
        ("1", "refs/pr/1", pull.oid)
    ]
    assert [entry.commit_id for entry in api.list_repo_commits(repo.id, revision="refs/pr/1")] == [
        entry.oid for entry in repo.git.log("refs/pr/1")
    ]


def test_further_commits_go_to_its_revision(api, repo, propose):
    head = repo.git.rev()
    first = propose(repo, {"a.txt": b"1"})
    second = api.create_commit(
        repo.id,
        [CommitOperationAdd("b.txt", b"2"), CommitOperationDelete("a.txt")],
        commit_message="Second",
        revision=first.pr_revision,
        parent_commit=first.oid,
    )
    assert repo.git.refs() == {"refs/heads/main": head, "refs/pr/1": second.oid}
    assert repo.git.files("refs/pr/1") == {".gitattributes", "b.txt"}
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(
            repo.id,
            add_file("c.txt", b"3"),
            commit_message="Stale",
            revision=first.pr_revision,
            parent_commit=first.oid,
        )
    assert refused.value.response.status_code == 412
    events = api.get_discussion_details(repo.id, 1).events
    assert [event.oid for event in events if event.type == "commit"] == [first.oid, second.oid]


def test_a_pull_request_may_begin_in_the_past(repo, add, propose):
    old = add(repo, {"a.txt": b"old"}).oid
    head = add(repo, {"a.txt": b"new"}).oid
    pull = propose(repo, {"b.txt": b"b"}, parent_commit=old)
    assert repo.git.log("refs/pr/1")[0].parents == (old,)
    assert repo.git.blob("a.txt", pull.oid) == b"old"
    assert repo.git.rev() == head
    with pytest.raises(HfHubHTTPError):
        propose(repo, {"c.txt": b"c"}, parent_commit="0" * 40)
    assert set(repo.git.refs()) == {"refs/heads/main", "refs/pr/1"}


def test_it_may_go_to_another_branch(api, repo, propose):
    api.create_branch(repo.id, branch="feat/x")
    pull = propose(repo, {"a.txt": b"a"}, revision="feat/x")
    assert api.get_discussion_details(repo.id, 1).target_branch == "refs/heads/feat/x"
    api.merge_pull_request(repo.id, 1)
    assert repo.git.files("feat/x") == {".gitattributes", "a.txt"}
    assert repo.git.files() == {".gitattributes"}
    assert repo.git.rev("refs/pr/1") == pull.oid


@pytest.mark.parametrize("revision", ["never-made", "v1", "refs/pr/1", "HEAD"])
def test_it_needs_a_branch_to_go_to(api, repo, propose, revision):
    propose(repo, {"a.txt": b"a"})
    api.create_tag(repo.id, tag="v1")
    refs = repo.git.refs()
    with pytest.raises(RevisionNotFoundError):
        propose(repo, {"b.txt": b"b"}, revision=revision)
    assert repo.git.refs() == refs


def test_merging_is_one_commit_on_the_branch(api, repo, add, propose):
    data = noise(6000, seed=3)
    pull = propose(repo, {"a.txt": b"a", "b.bin": data}, "Add a and b")
    head = add(repo, {"c.txt": b"c"}).oid
    api.merge_pull_request(repo.id, 1, comment="Thanks!")
    newest = repo.git.log()[0]
    assert newest.parents == (head,)
    assert newest.title == "Add a and b (#1)"
    assert pull.oid in newest.body
    assert repo.git.files() == {".gitattributes", "a.txt", "b.bin", "c.txt"}
    assert repo.git.pointer("b.bin").sha256 == sha256(data)
    details = api.get_discussion_details(repo.id, 1)
    assert (details.status, details.merge_commit_oid) == ("merged", newest.oid)
    assert [event.type for event in details.events[-2:]] == ["comment", "status-change"]
    assert details.events[-2].content == "Thanks!"
    assert "a.txt" in details.diff
    for again in (api.merge_pull_request, api.change_discussion_status):
        with pytest.raises(HfHubHTTPError) as refused:
            again(repo.id, 1, **({} if again == api.merge_pull_request else {"new_status": "open"}))
        assert refused.value.response.status_code == 400
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(
            repo.id, add_file("z", b"z"), commit_message="Late", revision="refs/pr/1"
        )
    assert refused.value.response.status_code == 403
    assert repo.git.rev() == newest.oid


def test_edits_of_different_lines_merge(api, repo, add, propose):
    lines = [b"line %d\n" % number for number in range(30)]
    add(repo, {"t.txt": b"".join(lines)})
    propose(repo, {"t.txt": b"".join([b"first\n", *lines[1:]])})
    add(repo, {"t.txt": b"".join([*lines[:-1], b"last\n"])})
    api.merge_pull_request(repo.id, 1)
    assert repo.git.blob("t.txt") == b"".join([b"first\n", *lines[1:-1], b"last\n"])


def test_conflicts_are_named_and_nothing_merged(api, repo, add, propose):
    add(repo, {"a.txt": b"base\n", "b.bin": noise(4000, seed=1), "c.txt": b"c\n"})
    pull = propose(
        repo, {"a.txt": b"theirs\n", "b.bin": noise(4000, seed=2), "c.txt": b"changed\n"}
    )
    head = add(repo, {"a.txt": b"ours\n", "b.bin": noise(4000, seed=3)}).oid
    assert sorted(api.get_discussion_details(repo.id, 1).conflicting_files) == ["a.txt", "b.bin"]
    with pytest.raises(HfHubHTTPError) as refused:
        api.merge_pull_request(repo.id, 1)
    answer = refused.value.response
    assert answer.status_code == 409
    assert sorted(answer.json()["filesWithConflicts"]) == ["a.txt", "b.bin"]
    assert repo.git.refs() == {"refs/heads/main": head, "refs/pr/1": pull.oid}
    assert api.get_discussion_details(repo.id, 1).status == "open"


def test_an_empty_pull_request_is_a_draft(api, repo):
    head = repo.git.rev()
    details = api.create_pull_request(repo.id, "  Work to come ", description="Soon.")
    assert (details.num, details.title, details.status) == (1, "Work to come", "draft")
    assert details.diff == ""
    assert details.events[0].content == "Soon."
    assert repo.git.refs() == {"refs/heads/main": head, "refs/pr/1": head}
    commit = api.create_commit(
        repo.id,
        add_file("a.txt", b"a"),
        commit_message="Work",
        revision="refs/pr/1",
        parent_commit=head,
    )
    assert repo.git.rev("refs/pr/1") == commit.oid
    with pytest.raises(HfHubHTTPError) as refused:
        api.merge_pull_request(repo.id, 1)
    assert refused.value.response.status_code == 400
    assert api.change_discussion_status(repo.id, 1, "open").new_status == "open"
    api.merge_pull_request(repo.id, 1)
    assert repo.git.files() == {".gitattributes", "a.txt"}


def test_talk(api, repo, outsider):
    opened = outsider.create_discussion(repo.id, "A question", description="What is it?")
    assert (opened.num, opened.status, opened.is_pull_request) == (1, "open", False)
    assert (opened.diff, opened.conflicting_files, opened.target_branch) == (None, None, None)
    comment = api.comment_discussion(repo.id, 1, comment="A **model**.")
    assert (comment.author, comment.content) == ("lab", "A **model**.")
    renamed = outsider.rename_discussion(repo.id, 1, new_title="An answered question")
    assert (renamed.old_title, renamed.new_title) == ("A question", "An answered question")
    closed = api.change_discussion_status(repo.id, 1, "closed", comment="Done.")
    assert closed.new_status == "closed"
    details = api.get_discussion_details(repo.id, 1)
    assert (details.title, details.status, details.author) == (
        "An answered question",
        "closed",
        "outsider",
    )
    assert [event.type for event in details.events] == [
        "comment",
        "comment",
        "title-change",
        "comment",
        "status-change",
    ]
    assert outsider.change_discussion_status(repo.id, 1, "open").new_status == "open"
    assert set(repo.git.refs()) == {"refs/heads/main"}


def test_listing_in_pages_and_by_kind(api, repo, outsider, propose):
    for number in range(60):
        api.create_discussion(repo.id, f"Talk {number}")
    propose(repo, {"a.txt": b"a"})
    outsider.create_pull_request(repo.id, "Of another")
    api.change_discussion_status(repo.id, 3, "closed")
    found = list(api.get_repo_discussions(repo.id))
    assert [entry.num for entry in found] == list(range(62, 0, -1))

    def numbers(**filters) -> list[int]:
        return [entry.num for entry in api.get_repo_discussions(repo.id, **filters)]

    assert numbers(discussion_type="pull_request") == [62, 61]
    assert numbers(discussion_type="discussion", author="lab") == list(range(60, 0, -1))
    assert numbers(discussion_status="closed") == [3]
    assert numbers(discussion_status="open", author="outsider") == [62]


def test_strangers_propose_and_members_merge(api, repo, outsider, anonymous, reader, propose):
    data = noise(7000, seed=4)
    pull = propose(repo, {"a.txt": b"a", "b.bin": data}, by=outsider)
    assert repo.git.log("refs/pr/1")[0].author == "outsider"
    outsider.create_commit(
        repo.id, add_file("c.bin", data), commit_message="More", revision=pull.pr_revision
    )
    with pytest.raises(HfHubHTTPError) as refused:
        outsider.merge_pull_request(repo.id, 1)
    assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError) as refused:
        outsider.create_commit(repo.id, add_file("d", b"d"), commit_message="To main")
    assert refused.value.response.status_code == 403
    for nobody, status in ((anonymous, 401), (reader, 403)):
        with pytest.raises(HfHubHTTPError) as refused:
            propose(repo, {"x": b"x"}, by=nobody)
        assert refused.value.response.status_code == status
        with pytest.raises(HfHubHTTPError) as refused:
            nobody.comment_discussion(repo.id, 1, comment="Hi")
        assert refused.value.response.status_code == status
    own = propose(repo, {"e.txt": b"e"})
    with pytest.raises(HfHubHTTPError) as refused:
        outsider.create_commit(
            repo.id, add_file("f", b"f"), commit_message="Foreign", revision=own.pr_revision
        )
    assert refused.value.response.status_code == 403
    api.merge_pull_request(repo.id, 1)
    assert repo.git.files() == {".gitattributes", "a.txt", "b.bin", "c.bin"}
    assert set(repo.git.refs()) == {"refs/heads/main", "refs/pr/1", "refs/pr/2"}


def test_deleting_the_ref_of_an_ended_pull_request(api, repo, write_token, propose):
    propose(repo, {"a.txt": b"a"})
    url = f"{repo.api_url}/discussions/1/ref"
    assert wire.request("DELETE", url, token=write_token).status == 400
    api.change_discussion_status(repo.id, 1, "closed")
    assert wire.request("DELETE", url).status == 401
    assert wire.request("DELETE", url, token=write_token).status == 200
    assert set(repo.git.refs()) == {"refs/heads/main"}
    assert api.get_discussion_details(repo.id, 1).diff is None
    assert wire.request("DELETE", url, token=write_token).status == 404
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(repo.id, revision="refs/pr/1"))
    assert propose(repo, {"b.txt": b"b"}).pr_revision == "refs/pr/2"


def test_numbers_skip_refs_that_git_pushed(repo, propose):
    repo.git.run("update-ref", "refs/pr/7", repo.git.rev())
    assert propose(repo, {"a.txt": b"a"}).pr_num == 8


@pytest.mark.parametrize("title", ["ab", "x" * 201])
def test_titles_have_a_length(api, repo, title):
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_discussion(repo.id, title)
    assert refused.value.response.status_code == 422
    assert list(api.get_repo_discussions(repo.id)) == []


def test_what_is_not_there(api, repo):
    for number in (1, 99):
        with pytest.raises(HfHubHTTPError) as refused:
            api.get_discussion_details(repo.id, number)
        assert refused.value.response.status_code == 404


def test_upload_folder_as_a_pull_request(api, repo, tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.bin").write_bytes(noise(3000, seed=number))
    done = api.upload_folder(
        repo_id=repo.id, folder_path=tmp_path, create_pr=True, commit_message="A folder"
    )
    assert re.search(r"/discussions/1$", done.pr_url)
    assert repo.git.files() == {".gitattributes"}
    assert repo.git.files("refs/pr/1") == {
        ".gitattributes",
        *(f"{number}.bin" for number in range(5)),
    }
