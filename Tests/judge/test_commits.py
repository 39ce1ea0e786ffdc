"""Commits: deletions, copies, parents, and several writers at once."""

import threading
from pathlib import Path

import pytest
import wire
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from samples import MEBIBYTE, noise, sha256


def test_deleting_a_file_and_a_folder(api, repo, add):
    add(repo, {"a.txt": b"a", "d/one.txt": b"1", "d/sub/two.txt": b"2", "dd/three.txt": b"3"})
    before = repo.git.rev()
    commit = api.create_commit(
        repo.id,
        [CommitOperationDelete("a.txt"), CommitOperationDelete("d/", is_folder=True)],
        commit_message="Tidy up",
    )
    assert repo.git.log()[0].oid == commit.oid
    assert repo.git.log()[0].parents == (before,)
    assert repo.git.files() == {".gitattributes", "dd/three.txt"}


@pytest.mark.parametrize("path", ["d", "d/"])
def test_a_folder_goes_with_and_without_a_trailing_slash(api, repo, add, path):
    add(repo, {"d/one.txt": b"1", "e.txt": b"e"})
    api.delete_folder(path, repo.id)
    assert repo.git.files() == {".gitattributes", "e.txt"}
    assert "d" not in repo.git.tree()


def test_the_last_file_takes_its_folders_along(api, repo, add):
    add(repo, {"x/y/z.txt": b"z"})
    api.delete_file("x/y/z.txt", repo.id)
    assert set(repo.git.tree()) == {".gitattributes"}


def test_deleting_what_is_not_there_changes_nothing(api, repo, add):
    head = add(repo, {"a.txt": b"a"}).oid
    with pytest.raises(EntryNotFoundError):
        api.create_commit(
            repo.id,
            [CommitOperationDelete("a.txt"), CommitOperationDelete("never.txt")],
            commit_message="x",
        )
    assert repo.git.rev() == head
    assert "a.txt" in repo.git.files()


def test_copying_an_lfs_file_moves_no_bytes(api, repo, add, hub):
    data = noise(2 * MEBIBYTE)
    add(repo, {"a.bin": data})
    hub.reset_stats()
    api.create_commit(
        repo.id, [CommitOperationCopy("a.bin", "copies/b.bin")], commit_message="Copy"
    )
    assert hub.bytes_received() + hub.bytes_sent() < 100_000
    assert repo.git.blob("copies/b.bin") == repo.git.blob("a.bin")
    assert Path(api.hf_hub_download(repo.id, "copies/b.bin")).read_bytes() == data


def test_copying_a_regular_file(api, repo, add):
    add(repo, {"a.txt": b"text\n"})
    api.create_commit(repo.id, [CommitOperationCopy("a.txt", "b/c.txt")], commit_message="Copy")
    assert repo.git.tree()["b/c.txt"].oid == repo.git.tree()["a.txt"].oid


def test_copying_from_an_older_revision(api, repo, add):
    old_text, old_noise = b"old\n", noise(5000, seed=1)
    old = add(repo, {"a.txt": old_text, "a.bin": old_noise}).oid
    add(repo, {"a.txt": b"new\n", "a.bin": noise(5000, seed=2)})
    api.create_commit(
        repo.id,
        [
            CommitOperationCopy("a.txt", "back.txt", src_revision=old),
            CommitOperationCopy("a.bin", "back.bin", src_revision=old),
        ],
        commit_message="Bring back",
    )
    assert repo.git.blob("back.txt") == old_text
    assert repo.git.pointer("back.bin").sha256 == sha256(old_noise)


def test_everything_at_once_is_one_commit(api, repo, add):
    data = noise(5000)
    add(repo, {"move.bin": data, "gone.txt": b"g", "edit.txt": b"before", "d/x": b"x"})
    before = repo.git.rev()
    commit = api.create_commit(
        repo.id,
        [
            CommitOperationCopy("move.bin", "moved/here.bin"),
            CommitOperationDelete("move.bin"),
            CommitOperationDelete("gone.txt"),
            CommitOperationDelete("d/", is_folder=True),
            CommitOperationAdd("edit.txt", b"after"),
            CommitOperationAdd("new/large.bin", noise(6000, seed=3)),
        ],
        commit_message="Rearrange",
    )
    assert [entry.oid for entry in repo.git.log()[:2]] == [commit.oid, before]
    assert repo.git.files() == {".gitattributes", "moved/here.bin", "edit.txt", "new/large.bin"}
    assert repo.git.blob("edit.txt") == b"after"
    assert repo.git.pointer("moved/here.bin").sha256 == sha256(data)


def test_a_file_may_become_a_folder_and_back(api, repo, add):
    add(repo, {"x": b"file"})
    api.create_commit(
        repo.id,
        [CommitOperationDelete("x"), CommitOperationAdd("x/y", b"inside")],
        commit_message="File to folder",
    )
    assert repo.git.files() == {".gitattributes", "x/y"}
    api.create_commit(
        repo.id,
        [CommitOperationDelete("x/", is_folder=True), CommitOperationAdd("x", b"again")],
        commit_message="Folder to file",
    )
    assert repo.git.blob("x") == b"again"


def test_a_stale_parent_is_refused(api, repo, add):
    first = repo.git.rev()
    second = add(repo, {"a.txt": b"a"}).oid
    with pytest.raises(HfHubHTTPError) as refused:
        add(repo, {"b.txt": b"b"}, parent_commit=first)
    assert refused.value.response.status_code == 412
    assert repo.git.rev() == second
    third = add(repo, {"b.txt": b"b"}, parent_commit=second).oid
    assert repo.git.log()[0].parents == (second,)
    add(repo, {"c.txt": b"c"}, parent_commit=third[:10])
    assert repo.git.log()[0].parents == (third,)


def test_an_unknown_parent_is_refused(repo, add):
    head = repo.git.rev()
    with pytest.raises(HfHubHTTPError):
        add(repo, {"b.txt": b"b"}, parent_commit="0" * 40)
    assert repo.git.rev() == head


def test_of_many_writers_with_one_parent_one_wins(repo, write_token):
    parent = repo.git.rev()
    answers = _commit_in_parallel(repo, write_token, 8, parentCommit=parent)
    assert sorted(set(answers)) in ([200, 412], [200, 409], [200, 409, 412])
    assert answers.count(200) == 1
    assert len(repo.git.log()) == 2


def test_writers_without_a_parent_lose_nothing(repo, write_token):
    answers = _commit_in_parallel(repo, write_token, 8)
    assert set(answers) <= {200, 409, 412}
    assert answers.count(200) >= 1
    assert len(repo.git.log()) == 1 + answers.count(200)
    assert len(repo.git.files()) == 1 + answers.count(200)


def _commit_in_parallel(repo, token: str, count: int, **header) -> list[int]:
    """Sends `count` commits at one moment, each adding one file. Returns their statuses."""
    statuses = [0] * count
    start = threading.Barrier(count)

    def commit(number: int) -> None:
        start.wait()
        statuses[number] = wire.commit(
            repo.api_url, token, wire.inline_file(f"{number}.txt"), **header
        ).status

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_a_commit_as_one_json_object(repo, write_token):
    answer = wire.request(
        "POST",
        f"{repo.api_url}/commit/main",
        token=write_token,
        json_body={
            "summary": "As JSON",
            "description": "All in one.",
            "files": [
                {"path": "a.txt", "content": "plain, not base64", "encoding": "utf-8"},
                {"path": "b.txt", "content": "YmFzZTY0", "encoding": "base64"},
            ],
        },
    )
    assert answer.status == 200
    assert answer.json()["commitOid"] == repo.git.rev()
    assert answer.json()["success"] is True
    assert repo.git.blob("a.txt") == b"plain, not base64"
    assert repo.git.blob("b.txt") == b"base64"
    assert (repo.git.log()[0].title, repo.git.log()[0].body) == ("As JSON", "All in one.")

    answer = wire.request(
        "POST",
        f"{repo.api_url}/commit/main",
        token=write_token,
        json_body={"summary": "Delete", "deletedEntries": [{"path": "a.txt"}]},
    )
    assert answer.status == 200
    assert repo.git.files() == {".gitattributes", "b.txt"}


def test_deleted_entry_takes_files_and_folders(repo, add, write_token):
    add(repo, {"a.txt": b"a", "d/b.txt": b"b", "c.txt": b"c"})
    answer = wire.commit(
        repo.api_url,
        write_token,
        ("deletedEntry", {"path": "a.txt"}),
        ("deletedEntry", {"path": "d"}),
    )
    assert answer.status == 200
    assert repo.git.files() == {".gitattributes", "c.txt"}


BAD_PATHS = [
    "",
    "/absolute",
    "../outside",
    "a/../b",
    "a//b",
    "./a",
    "a/.",
    "back\\slash",
    ".git/config",
    "sub/.git/hooks/x",
    "a" * 1001,
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=[path[:20] or "empty" for path in BAD_PATHS])
def test_names_the_hub_refuses(repo, write_token, path):
    before = repo.git.rev()
    answer = wire.commit(repo.api_url, write_token, wire.inline_file(path))
    assert answer.status == 422
    assert answer.json()["error"]
    assert repo.git.rev() == before


BROKEN_BODIES = {
    "no JSON": b"this is no JSON\n",
    "no header": wire.ndjson({"key": "file", "value": {"path": "a", "content": "eA=="}}),
    "unknown key": wire.ndjson(
        {"key": "header", "value": {"summary": "x"}}, {"key": "mystery", "value": {"path": "a"}}
    ),
    "no path": wire.ndjson(
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"content": "eA==", "encoding": "base64"}},
    ),
    "broken base64": wire.ndjson(
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": "a", "content": "?!", "encoding": "base64"}},
    ),
    "cut off": wire.ndjson({"key": "header", "value": {"summary": "x"}}) + b'{"key":"file","val',
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
def test_a_broken_commit_body_is_refused_whole(repo, write_token, body):
    before = repo.git.rev()
    answer = wire.commit_body(repo.api_url, write_token, body)
    assert answer.status in (400, 422)
    assert answer.json()["error"]
    assert repo.git.rev() == before


def test_a_commit_broken_off_leaves_nothing(repo, write_token):
    before = repo.git.refs()
    whole = wire.ndjson(
        {"key": "header", "value": {"summary": "Broken off"}},
        *({"key": key, "value": value} for key, value in map(wire.inline_file, "abcdefgh")),
    )
    wire.break_off(
        "POST",
        f"{repo.api_url}/commit/main",
        whole,
        sent=len(whole) // 2,
        headers={
            "Authorization": f"Bearer {write_token}",
            "Content-Type": "application/x-ndjson",
        },
    )
    # One whole commit after it: had the broken one taken effect, it would be in the history.
    assert wire.commit(repo.api_url, write_token, wire.inline_file("z")).status == 200
    assert [entry.oid for entry in repo.git.log()][1:] == [before["refs/heads/main"]]
    assert repo.git.files() == {".gitattributes", "z"}
