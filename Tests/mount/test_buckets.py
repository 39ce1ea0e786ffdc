"""Buckets read and edited through mounts; what others did and see is the official client's word."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import threading
import time

import buckets
import localhub
import pytest
import xet_program
from buckets import FILES, LARGE, OTHER, dates, tree
from conftest import mounts
from contents import errno_of
from mounting import binary
from samples import MEBIBYTE, noise

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A Hub that offers buckets."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("buckets") / "root")
    hub.serve_options = ["--xet"]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def token(store, tmp_path_factory) -> str:
    token = store.create_token("lab", "write")
    buckets.fill_seed(store, token, tmp_path_factory.mktemp("seed"))
    return token


@pytest.fixture
def bucket(store, token) -> buckets.Bucket:
    """A bucket of the test's own with the sample files, and a Hub that tells nobody of changes."""
    store.clear_faults()
    store.add_fault("--status", "404", "--to", "bucket-events")
    bucket = buckets.create(store, f"lab/bucket-{next(_numbers)}", token)
    bucket.copy(**{path: path for path in FILES})
    store.reset_stats()
    yield bucket
    store.clear_faults()


@pytest.fixture
def mount_of(store, tmp_path, token):
    """Makes mounts of that Hub's buckets. Nothing is asked or sent by itself before an hour is over."""
    with mounts(store, tmp_path, token) as make:
        yield lambda source, *options: make(source, "--follow=3600", *options)


@pytest.fixture
def edited(bucket, mount_of):
    """A writable mount of the bucket, which sends nothing by itself."""
    return mount_of(bucket.source, "-w", "--flush", "unmount")


def state_of(mount) -> str:
    (status,) = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"]
    return status["commit"]


def asked(store) -> dict[str, int]:
    return store.stats()["endpoints"]


def until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Reading


def test_a_bucket_is_read(store, bucket, mount_of):
    mount = mount_of(bucket.source)
    assert tree(mount.path) == FILES == bucket.contents()
    assert asked(store)["bucket-tree"] >= 1
    assert os.getxattr(mount.path / "a.txt", "user.hubfs.oid").decode() == bucket.hashes["a.txt"]
    assert errno_of(lambda: (mount.path / "new").write_bytes(b"")) == errno.EROFS
    status = mount.run("status", mount.path).stdout
    assert f"{bucket.source}\n" in status and "state" in status


def test_a_mount_asks_for_the_list_once(store, bucket, mount_of):
    mount = mount_of(bucket.source)
    for _ in range(2):
        assert len(list(mount.path.rglob("*"))) == 9
    assert asked(store)["bucket-tree"] == 1


def test_a_part_is_what_is_in_the_folder(bucket, mount_of):
    mount = mount_of(f"{bucket.source}/dir")
    # Not dir.json, nor dirx/q.txt, whose names begin alike.
    assert tree(mount.path) == {"large.bin": LARGE, "sub/b.bin": FILES["dir/sub/b.bin"]}
    deeper = mount_of(f"{bucket.source}/dir/sub")
    assert os.listdir(deeper.path) == ["b.bin"]


def test_a_part_without_files_is_not_found(bucket, mount_of, tmp_path):
    mount = mount_of(bucket.source)
    (tmp_path / "other").mkdir()
    for source in (f"{bucket.source}/di", f"{bucket.source}/a.txt", f"{bucket.source}x"):
        done = mount.run("mount", source, tmp_path / "other", check=False)
        assert done.returncode == 3, done.stderr
    done = mount.run("mount", "-w", f"{bucket.source}/a.txt", tmp_path / "other", check=False)
    assert done.returncode == 3 and "is a file" in done.stderr, done.stderr


def test_a_part_begins_with_its_first_file(bucket, mount_of):
    mount = mount_of(f"{bucket.source}/runs/1", "-w", "--flush", "unmount")
    assert os.listdir(mount.path) == []
    (mount.path / "log.txt").write_bytes(b"step 1\n")
    mount.run("flush", mount.path)
    assert bucket.read("runs/1/log.txt") == b"step 1\n"
    (mount.path / "log.txt").unlink()
    assert mount.unmount() == 0
    assert bucket.contents() == FILES
    mount.restart()
    assert os.listdir(mount.path) == []


def test_a_folder_hides_a_file_of_its_name(bucket, mount_of):
    bucket.copy(**{"dir": "a.txt", "a.txt/below": "other.txt"})
    mount = mount_of(bucket.source)
    assert sorted(os.listdir(mount.path)) == ["a.txt", "dir", "dir.json", "dirx", "empty"]
    assert os.listdir(mount.path / "a.txt") == ["below"]


def test_an_open_file_keeps_its_bytes(bucket, mount_of):
    mount = mount_of(bucket.source)
    with (mount.path / "dir/large.bin").open("rb") as file:
        assert file.read(100) == LARGE[:100]
        bucket.copy(**{"dir/large.bin": "other.bin"})
        mount.run("pull", mount.path)
        assert (mount.path / "dir/large.bin").read_bytes() == OTHER
        assert file.read() == LARGE[100:]
        bucket.delete("dir/large.bin")
        mount.run("pull", mount.path)
        assert not (mount.path / "dir/large.bin").exists()
        file.seek(5 * MEBIBYTE)
        assert file.read(1000) == LARGE[5 * MEBIBYTE :][:1000]


@pytest.mark.parametrize("path", ["dir/large.bin", "dir/sub/b.bin"])
def test_what_is_gone_is_read_from_the_store(bucket, mount_of, path):
    mount = mount_of(bucket.source)
    bucket.copy(**{path: "other.bin"})
    # The mount does not know yet, and shows what it has listed.
    assert (mount.path / path).read_bytes() == FILES[path]


def test_without_the_store_what_is_gone_is_not_other_bytes(bucket, mount_of):
    mount = mount_of(bucket.source, "--no-xet")
    bucket.copy(**{"dir/large.bin": "other.bin"})
    assert errno_of(lambda: (mount.path / "dir/large.bin").read_bytes()) in (errno.EIO, errno.ESTALE, errno.ENOENT)
    mount.run("pull", mount.path)
    assert (mount.path / "dir/large.bin").read_bytes() == OTHER


def test_what_others_write_shows(bucket, mount_of):
    mount = mount_of(bucket.source, "--follow=1")
    bucket.copy(**{"new/folder/c.txt": "other.txt", "a.txt": "other.txt"})
    bucket.delete("dirx/q.txt")
    until(lambda: (mount.path / "new/folder/c.txt").exists())
    expected = {**FILES, "new/folder/c.txt": b"others\n", "a.txt": b"others\n"}
    del expected["dirx/q.txt"]
    assert tree(mount.path) == expected


DATES = {"a.txt": 0.0, "dir/large.bin": 1_600_000_000.125, "dir/sub/b.bin": 1_400_000_000.0}


def test_each_file_has_its_own_date(bucket, mount_of):
    bucket.date(**DATES)
    expected = {**dict.fromkeys(FILES, 1_700_000_000.0), **DATES}
    mount = mount_of(bucket.source)
    assert dates(mount.path) == expected == bucket.dates
    assert mount.unmount() == 0
    mount.options = ("--offline",)
    mount.restart()
    assert dates(mount.path) == expected


def test_a_date_that_others_change_shows(store, bucket, mount_of):
    mount = mount_of(bucket.source, "--follow=1")
    large = mount.path / "dir/large.bin"
    assert large.read_bytes() == LARGE
    before = dates(mount.path)
    with large.open("rb") as file:
        store.reset_stats()
        bucket.date(**DATES)
        until(lambda: dates(mount.path) == {**before, **DATES})
        assert os.fstat(file.fileno()).st_mtime == before["dir/large.bin"]
    # The content is the same one, which is here.
    assert large.read_bytes() == LARGE
    assert store.requests("cas", "xorb", "cdn") == 0


def test_a_known_bucket_is_shown_without_the_hub(store, bucket, mount_of, tmp_path):
    mount = mount_of(bucket.source)
    assert tree(mount.path) == FILES
    assert mount.unmount() == 0
    mount.options = ("--offline",)
    mount.restart()
    assert tree(mount.path) == FILES


def test_commands_look_into_a_bucket(bucket, mount_of):
    mount = mount_of(bucket.source)
    assert mount.run("cat", f"{bucket.source}/dirx/q.txt").stdout == "beside\n"
    assert mount.run("ls", f"{bucket.source}/dir").stdout.split() == ["large.bin", "sub/"]
    assert bucket.hashes["a.txt"] in mount.run("stat", f"{bucket.source}/a.txt").stdout
    stat = json.loads(mount.run("stat", "--json", f"{bucket.source}/dir/large.bin").stdout)
    assert stat["modified"] == "2023-11-14T22:13:20Z" == stat["date"]
    listed = mount.run("cache", "ls", "--json").stdout
    assert f"buckets/{bucket.name}" in listed and bucket.hashes["dirx/q.txt"] in listed
    mount.run("cache", "verify")


# Writing


def test_edits_are_sent_at_the_end(store, bucket, edited):
    root = edited.path
    (root / "a.txt").write_bytes(b"other text\n")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/c.bin").write_bytes(noise(3 * MEBIBYTE, seed=41))
    (root / "new/none").write_bytes(b"")
    (root / "dirx/q.txt").unlink()
    with (root / "dir/large.bin").open("r+b") as file:
        file.seek(MEBIBYTE)
        file.write(b"changed")
    expected = {
        **FILES,
        "a.txt": b"other text\n",
        "new/deep/c.bin": noise(3 * MEBIBYTE, seed=41),
        "new/none": b"",
        "dir/large.bin": LARGE[:MEBIBYTE] + b"changed" + LARGE[MEBIBYTE + 7 :],
    }
    del expected["dirx/q.txt"]
    assert bucket.contents() == FILES
    store.reset_stats()
    assert edited.unmount() == 0
    # What is written, and then what is deleted.
    assert asked(store)["bucket-batch"] == 2
    assert bucket.contents() == expected


def test_the_official_command_reads_what_was_written(store, bucket, edited, tmp_path):
    (edited.path / "made here.txt").write_text("ö\n")
    (edited.path / "dir/sub/more.bin").write_bytes(OTHER[:70_000])
    edited.run("flush", edited.path)
    xet_program.run(
        store, tmp_path / "home", "buckets", "sync", bucket.source, tmp_path / "back"
    )
    expected = {
        **FILES, "made here.txt": "ö\n".encode(), "dir/sub/more.bin": OTHER[:70_000],
    }  # fmt: skip
    assert tree(tmp_path / "back") == expected == tree(edited.path)


def test_the_bucket_is_told_when_a_program_changed_a_file(bucket, edited):
    file = edited.path / "saved.txt"
    file.write_text("saved\n")
    os.utime(file, (1_500_000_000, 1_500_000_000))
    edited.run("flush", edited.path)
    rows = {row["path"]: row for row in bucket.ask("/tree?recursive=true&limit=5000")}
    assert rows["saved.txt"]["mtime"].startswith("2017-07-14T02:40:00")
    assert file.stat().st_mtime == 1_500_000_000


def test_dates_stay_with_their_files(bucket, mount_of):
    bucket.date(**DATES)
    mount = mount_of(bucket.source, "-w", "--flush", "unmount")
    root = mount.path
    (root / "a.txt").rename(root / "dirx/b.txt")
    (root / "dir").rename(root / "moved")
    (root / "saved.txt").write_text("saved\n")
    os.utime(root / "saved.txt", ns=(0, 1_450_000_000_123_000_000))
    mount.run("flush", mount.path)
    mine = dates(root)
    assert mine["dirx/b.txt"] == DATES["a.txt"] and mine["saved.txt"] == 1_450_000_000.123
    assert mine["moved/sub/b.bin"] == DATES["dir/sub/b.bin"]
    assert mine["moved/large.bin"] == DATES["dir/large.bin"] and mine["empty"] == 1_700_000_000
    assert bucket.dates == mine
    # What the daemon holds for the bucket's state is what anybody finds there.
    state = state_of(mount)
    mount.run("pull", mount.path)
    assert state_of(mount) == state
    assert mount.unmount() == 0
    assert dates(mount.restart().path) == mine
    assert dates(mount_of(bucket.source).path) == mine


def test_another_date_is_no_conflict(store, bucket, edited):
    (edited.path / "a.txt").write_bytes(b"ours\n")
    bucket.date(**DATES)
    edited.run("pull", edited.path)
    (edited.path / "dir/large.bin").rename(edited.path / "large.bin")
    store.reset_stats()
    edited.run("flush", edited.path)
    assert not {"cas-reconstruction", "bucket-resolve"} & set(asked(store))
    expected = {path: data for path, data in FILES.items() if path != "dir/large.bin"}
    expected |= {"a.txt": b"ours\n", "large.bin": LARGE}
    assert bucket.contents() == expected == tree(edited.path)
    assert bucket.dates["large.bin"] == DATES["dir/large.bin"]
    assert bucket.dates["dir/sub/b.bin"] == DATES["dir/sub/b.bin"]


def test_renames_and_copies_send_no_bytes(store, bucket, edited):
    (edited.path / "dir").rename(edited.path / "moved")
    (edited.path / "a.txt").rename(edited.path / "dirx/b.txt")
    store.reset_stats()
    edited.run("flush", edited.path)
    counts = asked(store)
    assert counts["bucket-batch"] == 2
    assert not {"cas-grant", "cas-xorb", "cas-shard", "cas-reconstruction", "bucket-resolve"} & set(counts)
    expected = {
        path.replace("dir/", "moved/", 1): data for path, data in FILES.items() if path != "a.txt"
    } | {"dirx/b.txt": FILES["a.txt"]}
    assert bucket.contents() == expected == tree(edited.path)


def test_files_and_folders_take_each_others_place(bucket, edited):
    root = edited.path
    (root / "dirx/q.txt").unlink()
    (root / "dirx").rmdir()
    (root / "dirx").write_bytes(b"a file now\n")
    (root / "empty").unlink()
    (root / "empty").mkdir()
    (root / "empty/below").write_bytes(b"below\n")
    edited.run("flush", edited.path)
    expected = {**FILES, "dirx": b"a file now\n", "empty/below": b"below\n"}
    for path in ("dirx/q.txt", "empty"):
        del expected[path]
    assert bucket.contents() == expected == tree(root)


def test_a_folder_is_made_anew(bucket, edited):
    root = edited.path
    shutil.rmtree(root / "dir")
    (root / "dir/sub").mkdir(parents=True)
    (root / "dir/sub/b.bin").write_bytes(b"anew\n")
    (root / "dir/c.txt").write_bytes(b"beside\n")
    (root / "dirx").rename(root / "aside")
    (root / "dirx").mkdir()
    (root / "dirx/q.txt").write_bytes(b"another\n")
    edited.run("flush", edited.path)
    expected = {
        **FILES, "dir/sub/b.bin": b"anew\n", "dir/c.txt": b"beside\n",
        "aside/q.txt": FILES["dirx/q.txt"], "dirx/q.txt": b"another\n",
    }  # fmt: skip
    del expected["dir/large.bin"]
    assert bucket.contents() == expected == tree(root)
    edited.kill()
    edited.restart()
    assert tree(root) == expected


def test_many_files_go_in_several_batches(store, bucket, edited):
    (edited.path / "many").mkdir()
    for number in range(1100):
        (edited.path / f"many/{number}").write_bytes(b"%d" % number)
    store.reset_stats()
    edited.run("flush", edited.path)
    assert asked(store)["bucket-batch"] == 2
    assert len(bucket.hashes) == len(FILES) + 1100
    assert bucket.read("many/1099") == b"1099"
    subprocess.run(["rm", "-r", edited.path / "many"], check=True)
    edited.run("flush", edited.path)
    assert set(bucket.hashes) == set(FILES)


def test_a_part_is_edited(bucket, mount_of):
    mount = mount_of(f"{bucket.source}/dir", "-w", "--flush", "unmount")
    (mount.path / "sub/b.bin").write_bytes(b"short\n")
    (mount.path / "c.txt").write_bytes(b"new\n")
    assert mount.unmount() == 0
    expected = {**FILES, "dir/sub/b.bin": b"short\n", "dir/c.txt": b"new\n"}
    assert bucket.contents() == expected
    mount.restart()
    assert sorted(os.listdir(mount.path)) == ["c.txt", "large.bin", "sub"]


# When


def test_edits_are_sent_soon_after_the_last_one(bucket, mount_of):
    mount = mount_of(bucket.source, "-w")
    (mount.path / "a.txt").write_bytes(b"soon\n")
    until(lambda: bucket.read("a.txt") == b"soon\n")
    with (mount.path / "held.txt").open("wb", buffering=0) as file:
        file.write(b"first")
        (mount.path / "closed.txt").write_bytes(b"closed")
        until(lambda: "closed.txt" in bucket.hashes)
        assert "held.txt" not in bucket.hashes
    until(lambda: "held.txt" in bucket.hashes)


@pytest.mark.parametrize("interval", ["1", "1s", "0.01m"])
def test_edits_are_sent_at_intervals(bucket, mount_of, interval):
    mount = mount_of(bucket.source, "-w", "--flush", f"interval:{interval}")
    (mount.path / "a.txt").write_bytes(b"again\n")
    until(lambda: bucket.read("a.txt") == b"again\n")


def test_fsync_waits_until_the_bucket_has_it(store, bucket, mount_of):
    mount = mount_of(bucket.source, "-w", "--flush", "fsync")
    with (mount.path / "log").open("wb", buffering=0) as file:
        file.write(b"one\n")
        assert "log" not in bucket.hashes
        os.fsync(file.fileno())
        assert bucket.read("log") == b"one\n"
        file.write(b"two\n")
        store.add_fault("--status", "403", "--to", "bucket-batch")
        assert errno_of(lambda: os.fsync(file.fileno())) == errno.EIO
        store.clear_faults()
        os.fsync(file.fileno())
        assert bucket.read("log") == b"one\ntwo\n"


def test_flush_sends_what_is_named(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"this\n")
    (edited.path / "dir.json").write_bytes(b"not this\n")
    done = edited.run("flush", edited.path, "a.txt")
    assert "sent 1 change to the bucket" in done.stdout
    assert bucket.contents() == {**FILES, "a.txt": b"this\n"}
    assert "dir.json" in edited.run("diff", "--stat", edited.path).stdout


# Trouble


def test_what_others_changed_is_not_overwritten(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"ours\n")
    (edited.path / "dirx/q.txt").write_bytes(b"ours too\n")
    bucket.copy(**{"a.txt": "other.txt", "new.txt": "other.txt"})
    done = edited.run("flush", edited.path, check=False)
    assert done.returncode == 13 and "a.txt" in done.stderr
    assert bucket.read("a.txt") == b"others\n"
    assert (edited.path / "a.txt").read_bytes() == b"ours\n"
    edited.run("resolve", "--theirs", edited.path, "a.txt")
    assert (edited.path / "a.txt").read_bytes() == b"others\n"
    [aside] = [name for name in os.listdir(edited.path) if name.startswith("a") and name != "a.txt"]
    assert (edited.path / aside).read_bytes() == b"ours\n"
    edited.run("flush", edited.path)
    expected = {
        **FILES, "a.txt": b"others\n", "new.txt": b"others\n", "dirx/q.txt": b"ours too\n",
    }  # fmt: skip
    assert bucket.contents() == expected


def test_a_conflict_is_not_asked_about_all_the_time(store, bucket, mount_of):
    mount = mount_of(bucket.source, "-w")
    bucket.copy(**{"a.txt": "other.txt"})
    store.reset_stats()
    (mount.path / "a.txt").write_bytes(b"ours\n")
    mount.wait_for_log("others changed the same paths")
    time.sleep(4)
    assert asked(store)["bucket-paths-info"] == 1 and "bucket-batch" not in asked(store)


def test_ours_replaces_theirs_when_that_was_said(bucket, mount_of):
    mount = mount_of(bucket.source, "-w", "--flush", "unmount", "--on-conflict", "ours")
    (mount.path / "a.txt").write_bytes(b"ours\n")
    (mount.path / "dir.json").unlink()
    bucket.copy(**{"a.txt": "other.txt", "dir.json": "other.txt"})
    assert mount.unmount() == 0
    expected = {**FILES, "a.txt": b"ours\n"}
    del expected["dir.json"]
    assert bucket.contents() == expected


def test_what_others_changed_elsewhere_stays(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"ours\n")
    bucket.copy(**{"dir/large.bin": "other.bin", "theirs.txt": "other.txt"})
    bucket.delete("empty")
    edited.run("flush", edited.path)
    expected = {
        **FILES, "a.txt": b"ours\n", "dir/large.bin": OTHER, "theirs.txt": b"others\n",
    }  # fmt: skip
    del expected["empty"]
    assert bucket.contents() == expected
    edited.run("pull", edited.path)
    assert tree(edited.path) == expected


def test_a_writable_mount_shows_what_others_write(bucket, mount_of):
    mount = mount_of(bucket.source, "-w", "--flush", "unmount", "--follow=1")
    (mount.path / "mine.txt").write_bytes(b"mine\n")
    bucket.copy(**{"theirs.txt": "other.txt"})
    until(lambda: (mount.path / "theirs.txt").exists())
    assert (mount.path / "mine.txt").read_bytes() == b"mine\n"


def test_what_a_bucket_refuses_stays_an_edit(bucket, edited):
    # Below 1000 characters, as the mount counts, and above 1000 bytes, as this Hub does.
    names = ["é" * 127] * 5
    folder = edited.path.joinpath(*names[:4])
    folder.mkdir(parents=True)
    (folder / names[4]).write_bytes(b"too long\n")
    (edited.path / "a.txt").write_bytes(b"taken\n")
    done = edited.run("flush", edited.path, check=False)
    assert done.returncode == 14 and "é" in done.stderr
    assert bucket.contents() == {**FILES, "a.txt": b"taken\n"}
    assert (folder / names[4]).read_bytes() == b"too long\n"
    (folder / names[4]).rename(edited.path / "short")
    edited.run("flush", edited.path)
    assert bucket.read("short") == b"too long\n"


def test_what_cannot_be_moved_stays_where_it_was(bucket, edited):
    folder = edited.path.joinpath(*["é" * 127] * 4)
    folder.mkdir(parents=True)
    (edited.path / "dirx/q.txt").rename(folder / ("é" * 127))
    done = edited.run("flush", edited.path, check=False)
    assert done.returncode == 14
    assert bucket.contents() == FILES
    (folder / ("é" * 127)).rename(edited.path / "short")
    edited.run("flush", edited.path)
    assert bucket.read("short") == FILES["dirx/q.txt"] and "dirx/q.txt" not in bucket.hashes


STUMBLES = {
    "busy": ("--status", "503"),
    "lost before": ("--reset",),
    "cut off before": ("--reset-upload", "50"),
    "done, and busy": ("--late-status", "502"),
    "done, and lost": ("--lose-answer",),
    "done, and cut off": ("--cut", "3"),
}


@pytest.mark.parametrize("name", STUMBLES)
@pytest.mark.parametrize("skipped", [0, 1])
def test_a_hub_that_stumbles_is_asked_again(store, bucket, edited, name, skipped):
    (edited.path / "a.txt").write_bytes(b"in the end\n")
    (edited.path / "dir/sub").rename(edited.path / "sub")
    (edited.path / "empty").unlink()
    # Puts are one batch, and deletions are the next.
    store.add_fault(*STUMBLES[name], "--to", "bucket-batch", "--skip", skipped, "--count", "1")
    edited.run("flush", edited.path)
    assert store.faults()[-1]["fired"] == 1
    expected = {
        path.replace("dir/sub/", "sub/"): data for path, data in FILES.items() if path != "empty"
    } | {"a.txt": b"in the end\n"}
    assert bucket.contents() == expected == tree(edited.path)
    store.reset_stats()
    edited.run("flush", edited.path)
    assert "bucket-batch" not in asked(store)


@pytest.mark.parametrize(
    "point", ["uploaded", "planned", "posted", "answered", "settling", "settle-journalled", "settled"]
)
def test_a_daemon_that_dies_loses_nothing(store, bucket, edited, point):
    assert edited.unmount() == 0
    edited.environment["HUBFS_CRASH_AT"] = point
    edited.restart()
    root = edited.path
    (root / "a.txt").write_bytes(b"written\n")
    os.utime(root / "a.txt", (1_500_000_000, 1_500_000_000))
    (root / "dir").rename(root / "moved")
    (root / "dirx/q.txt").unlink()
    done = edited.run("flush", edited.path, check=False)
    assert done.returncode != 0
    edited.wait()
    edited.kill()
    del edited.environment["HUBFS_CRASH_AT"]
    edited.restart()
    expected = {
        path.replace("dir/", "moved/", 1): data
        for path, data in FILES.items()
        if path != "dirx/q.txt"
    } | {"a.txt": b"written\n"}
    assert tree(root) == expected
    (root / "dir.json").write_bytes(b"afterwards")
    expected["dir.json"] = b"afterwards"
    assert edited.unmount() == 0
    assert bucket.contents() == expected
    found = bucket.dates
    assert found["a.txt"] == 1_500_000_000
    assert {found["moved/large.bin"], found["moved/sub/b.bin"], found["empty"]} == {1_700_000_000}
    # No upload is left that nobody knows of: a mount after it has nothing to do.
    store.reset_stats()
    edited.restart()
    assert edited.unmount() == 0
    assert "bucket-batch" not in asked(store)


def test_what_was_edited_after_a_crash_is_no_conflict(bucket, edited):
    assert edited.unmount() == 0
    edited.environment["HUBFS_CRASH_AT"] = "posted"
    edited.restart()
    (edited.path / "a.txt").write_bytes(b"first\n")
    edited.run("flush", edited.path, check=False)
    edited.wait()
    edited.kill()
    assert bucket.read("a.txt") == b"first\n"
    del edited.environment["HUBFS_CRASH_AT"]
    edited.restart()
    (edited.path / "a.txt").write_bytes(b"second\n")
    edited.run("flush", edited.path)
    assert bucket.read("a.txt") == b"second\n"


def test_edits_are_saved_without_a_mount(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"left behind\n")
    (edited.path / "dirx").rename(edited.path / "diry")
    edited.kill()
    assert bucket.name in edited.run("recover").stdout
    edited.run("recover", "--commit", bucket.name)
    expected = {**FILES, "a.txt": b"left behind\n", "diry/q.txt": FILES["dirx/q.txt"]}
    del expected["dirx/q.txt"]
    assert bucket.contents() == expected
    assert bucket.name not in edited.run("recover").stdout


def test_commit_says_what_buckets_do_not_have(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"by commit\n")
    for options in (["-m", "title"], ["--branch", "dev"], ["--create-pr"], ["--on-conflict", "pr"]):
        done = edited.run("commit", edited.path, *options, check=False)
        assert done.returncode == 2 and "hubfs flush" in done.stderr
    assert bucket.read("a.txt") == FILES["a.txt"]
    edited.run("commit", edited.path)
    assert bucket.read("a.txt") == b"by commit\n"


def test_many_writers_beside_flushes(bucket, mount_of):
    mount = mount_of(bucket.source, "-w", "--flush", "interval:1")

    def write(number: int) -> None:
        for turn in range(20):
            (mount.path / f"w{number}-{turn}.txt").write_bytes(b"%d %d" % (number, turn))
            time.sleep(0.05)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mount.unmount() == 0
    expected = {
        f"w{number}-{turn}.txt": b"%d %d" % (number, turn)
        for number in range(4)
        for turn in range(20)
    }
    assert bucket.contents() == FILES | expected


def test_who_may_not_write_is_told_before(store, bucket, tmp_path, mount_of):
    reader = mount_of(bucket.source)
    reader.environment["HF_TOKEN"] = store.create_token("guest", "read")
    (tmp_path / "other").mkdir()
    done = reader.run("mount", "-w", bucket.source, tmp_path / "other", check=False)
    assert done.returncode in (3, 4), done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-w", "--commit", "manual"], "--flush says when"),
        (["-w", "-m", "title"], "--message is for repos"),
        (["-w", "--branch", "main"], "--branch is for repos"),
        (["-w", "--create-pr"], "--create-pr is for repos"),
        (["-w", "--on-conflict", "pr"], "--on-conflict pr is for repos"),
        (["--flush", "close"], "--flush goes with -w"),
    ],
)  # fmt: skip
def test_what_buckets_do_not_have_is_refused(bucket, tmp_path, options, words):
    (tmp_path / "mnt").mkdir()
    done = subprocess.run(
        [binary(), "mount", *options, bucket.source, tmp_path / "mnt"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and words in done.stderr, done.stderr


def test_repos_have_commits_instead(new_editable_mount, import_repo, tmp_path):
    mount = new_editable_mount(f"hf://{import_repo({'a.txt': b'a'})}", "-w")
    done = mount.run("flush", mount.path, check=False)
    assert done.returncode == 2 and "hubfs commit" in done.stderr
    (tmp_path / "other").mkdir()
    done = mount.run("mount", "-w", "--flush", "close", "lab/any", tmp_path / "other", check=False)
    assert done.returncode == 2 and "--commit says when" in done.stderr


def test_status_tells_of_a_bucket(bucket, edited):
    (edited.path / "a.txt").write_bytes(b"changed\n")
    edited.run("flush", edited.path)
    [status] = json.loads(edited.run("status", "--json", edited.path).stdout)["mounts"]
    assert (status["repo"], status["source"]) == (f"buckets/{bucket.name}", bucket.source)
    assert "last flush" in edited.run("status", edited.path).stdout


# The event stream


@pytest.fixture
def told(store, mount_of):
    """Makes mounts that are told what changes."""
    store.clear_faults()
    return mount_of


@pytest.mark.parametrize("options", [[], ["-w", "--flush", "unmount"]])
def test_changes_that_are_told_show_at_once(store, bucket, told, options):
    mount = told(bucket.source, *options)
    until(lambda: asked(store).get("bucket-events", 0) == 1)
    for turn in range(3):
        bucket.copy(**{f"new-{turn}.txt": "other.txt"})
        until(lambda turn=turn: (mount.path / f"new-{turn}.txt").exists())
    bucket.delete("a.txt")
    until(lambda: not (mount.path / "a.txt").exists())
    assert asked(store)["bucket-events"] == 1


def test_what_we_send_is_no_news(store, bucket, told):
    mount = told(bucket.source, "-w", "--flush", "unmount")
    until(lambda: asked(store).get("bucket-events", 0) == 1)
    # That listening begins is a reason to look.
    until(lambda: asked(store).get("bucket-tree", 0) >= 2)
    store.reset_stats()
    (mount.path / "a.txt").write_bytes(b"ours\n")
    (mount.path / "dir.json").unlink()
    mount.run("flush", mount.path)
    time.sleep(2)
    assert "bucket-tree" not in asked(store)
    bucket.copy(**{"a.txt": "other.txt"})
    until(lambda: (mount.path / "a.txt").read_bytes() == b"others\n")


@pytest.mark.parametrize("status", ["404", "501"])
def test_a_hub_that_does_not_tell_is_asked(store, bucket, told, status):
    store.add_fault("--status", status, "--to", "bucket-events")
    mount = told(bucket.source, "--follow=1")
    bucket.copy(**{"new.txt": "other.txt"})
    until(lambda: (mount.path / "new.txt").exists())
    assert asked(store)["bucket-events"] == 1


def test_a_stream_that_ends_is_asked_for_again(store, bucket, told):
    store.add_fault("--status", "503", "--to", "bucket-events", "--count", "2")
    mount = told(bucket.source)
    until(lambda: asked(store).get("bucket-events", 0) == 3)
    bucket.copy(**{"new.txt": "other.txt"})
    until(lambda: (mount.path / "new.txt").exists())
