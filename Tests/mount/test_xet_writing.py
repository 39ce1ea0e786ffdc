"""Commits whose large files go to the content-addressed store: what travels, and what others read."""

from __future__ import annotations

import itertools
import os
import urllib.request
import zlib

import localhub
import pytest
import xet_program
from conftest import mounts
from samples import MEBIBYTE, noise, sha256

SIZE = 24 * MEBIBYTE
# The longest chunk: a changed byte makes one another, or two at its edge.
CHUNKS = 128 << 10
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A Hub that offers Xet."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("xet") / "root")
    hub.serve_options = ["--xet"]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def token(store) -> str:
    return store.create_token("lab", "write")


@pytest.fixture
def repo(store, token) -> str:
    """An empty repo, without faults."""
    name = f"lab/written-{next(_numbers)}"
    body = b'{"name": "%s", "organization": "lab", "type": "model"}' % name.split("/")[1].encode()
    request = urllib.request.Request(
        store.address.endpoint + "/api/repos/create", body,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    urllib.request.urlopen(request, timeout=60).close()
    store.clear_faults()
    yield name
    store.clear_faults()


def seed(test) -> int:
    """The same in each run: where chunks end decides how many bytes an edit costs."""
    return zlib.crc32(test.node.name.encode())


@pytest.fixture
def large(repo, request) -> bytes:
    """A large file that the store has never seen."""
    return noise(SIZE, seed=seed(request))


@pytest.fixture
def mount_of(store, tmp_path, token):
    """Makes writable mounts of that Hub's repos."""
    with mounts(store, tmp_path, token) as make:
        yield lambda repo, *options, **settings: make(f"hf://{repo}", "-w", *options, **settings)


def restarted(mount, **environment: str):
    """The same mount by a daemon that is told something else."""
    assert mount.unmount() == 0
    mount.environment.update(environment)
    return mount.restart()


def published(store, repo: str, path: str) -> bytes:
    """A file as anybody gets it who knows nothing of the store."""
    url = f"{store.address.endpoint}/{repo}/resolve/main/{path}"
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


def sent(store) -> int:
    """Bytes of xorbs that were sent since the counters began, by a grant or directly."""
    classes = store.stats()["classes"]
    return sum(classes[name]["bytesReceived"] for name in ("xorb", "cas"))


def asked(store) -> dict[str, int]:
    return store.stats()["endpoints"]


def commit(store, mount) -> int:
    """Commits. Returns the bytes that the store was sent."""
    store.reset_stats()
    mount.run("commit", mount.path)
    return sent(store)


def test_a_new_file_goes_to_the_store_and_not_to_lfs(store, repo, mount_of, large):
    mount = mount_of(repo)
    (mount.path / "large.bin").write_bytes(large)
    (mount.path / "empty.bin").write_bytes(b"")
    (mount.path / "small.txt").write_text("small\n")
    assert SIZE <= commit(store, mount) < SIZE * 1.01
    counts = asked(store)
    assert counts["cas-grant"] == counts["xorb-upload"] == counts["cas-commit"] == 2
    assert counts["cas-shard"] == 1
    assert "lfs-batch" not in counts and "lfs-upload" not in counts
    assert published(store, repo, "large.bin") == large
    assert published(store, repo, "empty.bin") == b""
    assert not list(store.root.glob(f"models/{repo}.git/lfs/objects/*/*/*"))
    assert (mount.path / "large.bin").read_bytes() == large


@pytest.mark.parametrize("edit", ["overwritten", "inserted", "deleted", "appended"])
def test_an_edit_sends_the_chunks_that_changed(store, repo, mount_of, large, edit):
    mount = mount_of(repo)
    file = mount.path / "large.bin"
    file.write_bytes(large)
    commit(store, mount)
    new = noise(MEBIBYTE, seed=72)
    middle = SIZE // 2 + 12_345
    if edit == "overwritten":
        with file.open("r+b") as open_file:
            open_file.seek(middle)
            open_file.write(new)
        expected = large[:middle] + new + large[middle + MEBIBYTE :]
    elif edit == "appended":
        with file.open("ab") as open_file:
            open_file.write(new)
        expected = large + new
    else:
        after = middle + (MEBIBYTE if edit == "deleted" else 0)
        expected = large[:middle] + (new if edit == "inserted" else b"") + large[after:]
        file.write_bytes(expected)
    changed = 0 if edit == "deleted" else MEBIBYTE
    # Behind an edit it can take a few chunks until they end where they did. The shard describes every
    # chunk that is new, and every term: some KiB.
    assert changed <= commit(store, mount) <= changed + 4 * CHUNKS + 8192
    # What it was before is not looked into where all of that is known.
    assert edit == "overwritten" or "cas-reconstruction" not in asked(store)
    assert published(store, repo, "large.bin") == expected
    assert "lfs-upload" not in asked(store)


def test_a_file_is_edited_cheaply_by_who_never_sent_it(
    store, repo, mount_of, large
):
    first = mount_of(repo)
    (first.path / "large.bin").write_bytes(large)
    assert first.unmount() == 0
    # Another machine: another cache, another workspace.
    second = mount_of(repo)
    file = second.path / "large.bin"
    with file.open("r+b") as open_file:
        open_file.seek(SIZE // 2)
        open_file.write(b"changed")
    assert commit(store, second) <= 3 * CHUNKS + 8192
    expected = large[: SIZE // 2] + b"changed" + large[SIZE // 2 + 7 :]
    assert published(store, repo, "large.bin") == expected


def test_what_was_edited_in_place_is_in_the_cache_afterwards(store, repo, mount_of, large):
    mount = mount_of(repo)
    file = mount.path / "large.bin"
    file.write_bytes(large)
    commit(store, mount)
    with file.open("r+b") as open_file:
        open_file.seek(SIZE // 2)
        open_file.write(b"changed")
    commit(store, mount)
    expected = large[: SIZE // 2] + b"changed" + large[SIZE // 2 + 7 :]
    assert published(store, repo, "large.bin") == expected
    # The daemon gives it to the cache when the commit is made, and ends when that is done.
    assert mount.unmount() == 0
    mount.restart()
    store.reset_stats()
    assert file.read_bytes() == expected
    assert not asked(store).keys() & {"cas-reconstruction", "xorb", "cdn", "resolve"}


def test_commits_follow_each_other_at_once(store, repo, mount_of, large):
    """Each stands on what the last one made, which the cache may not have yet."""
    mount = mount_of(repo)
    file = mount.path / "large.bin"
    file.write_bytes(large)
    commit(store, mount)
    expected = bytearray(large)
    for turn in range(6):
        new = noise(50_000, seed=turn)
        position = turn * 3 * MEBIBYTE
        with file.open("r+b") as open_file:
            open_file.seek(position)
            open_file.write(new)
            open_file.seek(0, os.SEEK_END)
            open_file.write(new)
        expected[position : position + len(new)] = new
        expected += new
        assert commit(store, mount) <= 2 * len(new) + 4 * CHUNKS + 8192
        assert not asked(store).keys() & {"xorb", "cdn", "resolve"}, turn
    assert published(store, repo, "large.bin") == expected
    assert file.read_bytes() == expected


def test_edits_go_on_where_a_commit_was_refused(store, repo, mount_of, large):
    """What was copied for the cache beside it is no edit, and hides none."""
    mount = mount_of(repo)
    file = mount.path / "large.bin"
    file.write_bytes(large)
    commit(store, mount)
    expected = bytearray(large)
    for turn, position in enumerate((SIZE // 2, SIZE // 4, SIZE - 9)):
        with file.open("r+b") as open_file:
            open_file.seek(position)
            open_file.write(b"edit %d" % turn)
        expected[position : position + 6] = b"edit %d" % turn
        if turn < 2:
            store.add_fault("--status", "403", "--to", "commit", "--count", "1")
            assert mount.run("commit", mount.path, check=False).returncode != 0
        assert file.read_bytes() == expected
    commit(store, mount)
    assert published(store, repo, "large.bin") == expected
    assert file.read_bytes() == expected


def test_what_files_share_is_sent_once(store, repo, mount_of):
    mount = mount_of(repo)
    shared = noise(8 * MEBIBYTE, seed=73)
    for number in range(4):
        (mount.path / f"checkpoint-{number}.bin").write_bytes(
            shared + noise(MEBIBYTE, seed=80 + number)
        )
    assert commit(store, mount) <= 12 * MEBIBYTE + 8 * CHUNKS
    for number in range(4):
        found = published(store, repo, f"checkpoint-{number}.bin")
        assert sha256(found) == sha256(shared + noise(MEBIBYTE, seed=80 + number))


def test_many_small_files_share_a_xorb(store, repo, mount_of):
    mount = mount_of(repo)
    files = {f"{number}.bin": os.urandom(5_000) + bytes([0, 255]) for number in range(50)}
    for name, data in files.items():
        (mount.path / name).write_bytes(data)
    commit(store, mount)
    assert asked(store)["cas-grant"] == 1
    for name in ("0.bin", "49.bin"):
        assert published(store, repo, name) == files[name]


def test_what_was_sent_before_a_crash_is_not_sent_again(store, repo, mount_of, large):
    mount = restarted(mount_of(repo), HUBFS_CRASH_AT="xorbs-stored")
    (mount.path / "large.bin").write_bytes(large)
    store.reset_stats()
    mount.run("commit", mount.path, check=False)
    assert SIZE <= sent(store) < SIZE * 1.01
    assert "cas-shard" not in asked(store)
    mount.kill()
    del mount.environment["HUBFS_CRASH_AT"]
    mount.restart()
    assert commit(store, mount) <= 64 << 10
    assert published(store, repo, "large.bin") == large


def test_a_xorb_that_had_arrived_at_a_crash_stays(store, repo, mount_of, large):
    mount = restarted(mount_of(repo), HUBFS_CRASH_AT="xorb-stored:1")
    (mount.path / "large.bin").write_bytes(large)
    store.reset_stats()
    mount.run("commit", mount.path, check=False)
    arrived = asked(store)["cas-commit"]
    mount.kill()
    del mount.environment["HUBFS_CRASH_AT"]
    mount.restart()
    commit(store, mount)
    # There are two; one that came beside it, and was not heard of, may come again.
    assert arrived >= 1 and asked(store).get("xorb-upload", 0) <= 1
    assert published(store, repo, "large.bin") == large


def test_a_token_that_is_refused_is_renewed_once(store, repo, mount_of, large):
    mount = mount_of(repo)
    (mount.path / "large.bin").write_bytes(large)
    store.add_fault("--status", "401", "--to", "cas-shard", "--count", "1")
    commit(store, mount)
    assert asked(store)["xet-token"] == 2
    assert asked(store)["cas-shard"] == 2
    assert "lfs-batch" not in asked(store)
    assert published(store, repo, "large.bin") == large


@pytest.mark.parametrize("request_name", ["cas-grant", "xorb-upload", "cas-commit", "cas-shard"])
def test_a_store_that_stumbles_is_asked_again(store, repo, mount_of, large, request_name):
    mount = restarted(mount_of(repo), HUBFS_WAIT_FACTOR="0.1")
    (mount.path / "large.bin").write_bytes(large)
    # There are two xorbs and one shard.
    skipped = 0 if request_name == "cas-shard" else 1
    store.add_fault("--status", "503", "--to", request_name, "--skip", skipped, "--count", "2")
    commit(store, mount)
    assert "lfs-batch" not in asked(store)
    assert published(store, repo, "large.bin") == large


def test_a_shard_that_cannot_be_checked_now_is_sent_by_the_plain_way(store, repo, mount_of, large):
    mount = mount_of(repo)
    (mount.path / "large.bin").write_bytes(large)
    store.add_fault("--status", "400", "--to", "cas-shard")
    commit(store, mount)
    assert "large files go to LFS storage" in mount.log()
    assert published(store, repo, "large.bin") == large


def test_the_plain_way_is_the_fallback(store, repo, mount_of, large):
    store.add_fault("--status", "500", "--to", "cas-grant")
    store.add_fault("--status", "500", "--to", "cas-xorb")
    mount = restarted(mount_of(repo), HUBFS_WAIT_FACTOR="0.01")
    (mount.path / "large.bin").write_bytes(large)
    store.reset_stats()
    mount.run("commit", mount.path)
    assert asked(store).get("lfs-upload", 0) + asked(store).get("lfs-part", 0) >= 1
    assert "large files go to LFS storage" in mount.log()
    assert published(store, repo, "large.bin") == large


def test_without_grants_and_events_the_older_ways_are_gone(store, repo, mount_of, large):
    store.add_fault("--status", "404", "--to", "cas-grant")
    store.add_fault("--status", "404", "--path", "/cas/v2/shards")
    mount = mount_of(repo)
    (mount.path / "large.bin").write_bytes(large)
    assert SIZE <= commit(store, mount) < SIZE * 1.01
    assert asked(store)["cas-xorb"] == 2
    assert asked(store)["cas-shard"] == 2
    assert published(store, repo, "large.bin") == large


def test_no_xet_means_lfs(store, repo, mount_of, large):
    mount = mount_of(repo, "--no-xet")
    (mount.path / "large.bin").write_bytes(large)
    assert commit(store, mount) == 0
    assert "xet-token" not in asked(store)
    assert published(store, repo, "large.bin") == large


def test_a_store_that_has_forgotten_gets_everything_again(store, repo, mount_of, large):
    mount = mount_of(repo)
    file = mount.path / "large.bin"
    file.write_bytes(large)
    commit(store, mount)
    with file.open("r+b") as open_file:
        open_file.write(b"changed")
    store.add_fault("--status", "400", "--to", "cas-shard", "--count", "1")
    store.reset_stats()
    mount.run("commit", mount.path)
    # First the chunk that changed, then all of them; the store has the second half still.
    assert (asked(store)["cas-shard"], asked(store)["cas-grant"]) == (2, 3)
    assert sent(store) > 15 * MEBIBYTE
    assert published(store, repo, "large.bin") == b"changed" + large[7:]


def test_the_official_client_reads_what_was_written_and_sends_no_less(
    store, repo, mount_of, large, token, tmp_path, request
):
    store.write_token = token
    mount = mount_of(repo)
    official = f"{repo}-official"
    xet_program.run(store, tmp_path / "home", "repos", "create", official)
    # Bytes that the store does not know from the other: the same edit of each.
    other = noise(SIZE, seed=seed(request) + 1)
    middle = SIZE // 2 + 777
    sums: dict[str, list[int]] = {"ours": [], "theirs": []}
    for change in (b"", noise(MEBIBYTE, seed=91)):
        ours = large[:middle] + change + large[middle + len(change) :]
        (mount.path / "large.bin").write_bytes(ours)
        sums["ours"].append(commit(store, mount))
        theirs = tmp_path / "theirs.bin"
        change = bytes(byte ^ 1 for byte in change)
        theirs.write_bytes(other[:middle] + change + other[middle + len(change) :])
        store.reset_stats()
        xet_program.run(store, tmp_path / "home", "upload", official, theirs, "large.bin")
        sums["theirs"].append(sent(store))
    xet_program.run(
        store, tmp_path / "reader", "download", repo, "large.bin", "--local-dir", tmp_path / "got"
    )
    assert (tmp_path / "got/large.bin").read_bytes() == ours
    for mine, official_count in zip(sums["ours"], sums["theirs"], strict=True):
        # At either end of the edit a chunk is cut anew, wherever its bytes happen to end.
        assert mine <= official_count * 1.05 + 2 * CHUNKS, sums
