"""Editing, sentence by sentence: what a program can do in a mount with `-w`, and what it cannot."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run
from contents import errno_of
from reference_model import journal
from samples import MEBIBYTE, noise, text

LARGE = noise(24 * MEBIBYTE, seed=60)
SMALL = text(20_000, seed=61)
FILES = {
    "large.bin": LARGE,
    "small.txt": SMALL,
    "empty.txt": b"",
    "dir/sub/deep.txt": b"deep\n",
    "dir/other.txt": b"other\n",
}
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)
# Nothing is committed here: a remount goes on where the mount ended.
EDITING = ("-w", "--commit", "manual")


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def mount(new_editable_mount, sample):
    return new_editable_mount(f"hf://{sample}", *EDITING)


def rename(source: Path, target: Path, flags: int) -> None:
    if LIBC.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def remount(mount) -> None:
    assert mount.unmount() == 0
    mount.restart()


# Nothing is copied up.


def test_changing_four_bytes_of_a_large_file_fetches_nothing(hub, mount):
    list(mount.path.iterdir())
    hub.reset_stats()
    with (mount.path / "large.bin").open("r+b") as file:
        file.seek(10 * MEBIBYTE)
        file.write(b"four")
        file.flush()
        os.fsync(file.fileno())
    assert hub.bytes_sent("cdn", "resolve") == 0
    assert (mount.path / "large.bin").read_bytes() == (
        LARGE[: 10 * MEBIBYTE] + b"four" + LARGE[10 * MEBIBYTE + 4 :]
    )


def test_cutting_and_growing_a_large_file_fetches_nothing(hub, mount):
    list(mount.path.iterdir())
    hub.reset_stats()
    os.truncate(mount.path / "large.bin", 1000)
    os.truncate(mount.path / "large.bin", 5000)
    assert hub.bytes_sent("cdn", "resolve") == 0
    assert (mount.path / "large.bin").read_bytes() == LARGE[:1000] + bytes(4000)


def test_renaming_and_copying_a_large_file_fetches_nothing(hub, mount):
    list(mount.path.iterdir())
    hub.reset_stats()
    run("mv", mount.path / "large.bin", mount.path / "dir/moved.bin")
    run("cp", mount.path / "dir/moved.bin", mount.path / "copy.bin")
    assert hub.bytes_sent("cdn", "resolve") == 0
    assert (mount.path / "copy.bin").read_bytes() == LARGE
    with (mount.path / "copy.bin").open("r+b") as file:
        file.write(b"only the copy")
    assert (mount.path / "dir/moved.bin").read_bytes() == LARGE


def test_renaming_a_directory_lists_nothing(hub, new_editable_mount, import_repo):
    repo = import_repo({f"tree/{n % 20}/{n}.txt": b"%d" % n for n in range(400)})
    mount = new_editable_mount(f"hf://{repo}", *EDITING)
    list(mount.path.iterdir())
    hub.reset_stats()
    os.rename(mount.path / "tree", mount.path / "moved")
    assert hub.asked() == {}
    assert (mount.path / "moved/7/27.txt").read_bytes() == b"27"
    assert not (mount.path / "tree").exists()
    assert sum(len(files) for _, _, files in os.walk(mount.path / "moved")) == 400


def test_making_and_filling_a_new_directory_asks_the_hub_nothing(hub, mount):
    list(mount.path.iterdir())
    hub.reset_stats()
    (mount.path / "new/below").mkdir(parents=True)
    (mount.path / "new/below/file").write_bytes(SMALL)
    shutil.rmtree(mount.path / "new")
    assert hub.asked() == {}


# What there is not.


def test_hard_links_are_refused_with_eperm(mount):
    assert errno_of(lambda: os.link(mount.path / "small.txt", mount.path / "b")) == errno.EPERM
    assert not (mount.path / "b").exists()


def test_nameless_files_are_refused_with_eopnotsupp(mount):
    flags = os.O_TMPFILE | os.O_RDWR
    assert errno_of(lambda: os.open(mount.path, flags, 0o600)) == errno.EOPNOTSUPP


def test_pipes_and_sockets_are_refused_with_eperm(mount):
    assert errno_of(lambda: os.mkfifo(mount.path / "pipe")) == errno.EPERM
    assert errno_of(lambda: os.mknod(mount.path / "s", stat.S_IFSOCK | 0o600)) == errno.EPERM


def test_attributes_of_the_system_are_refused_and_hubfs_own_are_fixed(mount):
    file = mount.path / "small.txt"
    for name, code in (
        ("security.a", errno.EOPNOTSUPP),
        ("trusted.a", errno.EOPNOTSUPP),
        ("user.hubfs.oid", errno.EOPNOTSUPP),
    ):
        assert errno_of(lambda: os.setxattr(file, name, b"x")) == code, name


# Handles outlive names.


def test_a_file_lives_on_without_its_name_while_it_is_open(mount):
    for name in ("small.txt", "large.bin"):
        with (mount.path / name).open("r+b") as file:
            os.unlink(mount.path / name)
            assert os.fstat(file.fileno()).st_nlink == 0
            file.seek(100)
            file.write(b"still here")
            file.flush()
            file.seek(0)
            assert file.read(200) == FILES[name][:100] + b"still here" + FILES[name][110:200]
            os.ftruncate(file.fileno(), 50)
            assert os.fstat(file.fileno()).st_size == 50
        assert not (mount.path / name).exists()


def test_a_mapping_outlives_the_name_and_the_handle(mount):
    with (mount.path / "small.txt").open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    os.unlink(mount.path / "small.txt")
    mapping[:4] = b"seen"
    mapping.flush()
    assert mapping[:10] == b"seen" + SMALL[4:10]
    mapping.close()


def test_renaming_over_an_open_file_leaves_the_handle_its_bytes(mount):
    (mount.path / "new.txt").write_bytes(b"new")
    with (mount.path / "small.txt").open("rb") as file:
        os.rename(mount.path / "new.txt", mount.path / "small.txt")
        assert file.read() == SMALL
    assert (mount.path / "small.txt").read_bytes() == b"new"


def test_a_writer_keeps_writing_where_its_file_was_moved_to(mount):
    with (mount.path / "small.txt").open("r+b") as file:
        os.rename(mount.path / "dir", mount.path / "elsewhere")
        os.rename(mount.path / "small.txt", mount.path / "elsewhere/here.txt")
        file.write(b"moved")
    assert (mount.path / "elsewhere/here.txt").read_bytes() == b"moved" + SMALL[5:]


# Names.


def test_rename_noreplace_and_exchange(mount):
    small, deep = mount.path / "small.txt", mount.path / "dir/sub/deep.txt"
    assert errno_of(lambda: rename(small, deep, RENAME_NOREPLACE)) == errno.EEXIST
    rename(small, deep, RENAME_EXCHANGE)
    assert small.read_bytes() == b"deep\n"
    assert deep.read_bytes() == SMALL
    rename(small, mount.path / "dir/sub", RENAME_EXCHANGE)
    assert (mount.path / "dir/sub").read_bytes() == b"deep\n"
    assert (mount.path / "small.txt/deep.txt").read_bytes() == SMALL


def test_a_directory_made_anew_does_not_show_what_was_removed(mount):
    shutil.rmtree(mount.path / "dir")
    (mount.path / "dir").mkdir()
    assert list((mount.path / "dir").iterdir()) == []
    (mount.path / "dir/sub").mkdir()
    assert list((mount.path / "dir/sub").iterdir()) == []


def test_rename_of_a_directory_over_others(mount):
    (mount.path / "new").mkdir()
    assert errno_of(lambda: os.rename(mount.path / "new", mount.path / "dir")) == errno.ENOTEMPTY
    os.rename(mount.path / "dir", mount.path / "new")
    assert (mount.path / "new/sub/deep.txt").read_bytes() == b"deep\n"
    inside = mount.path / "new/sub/inside"
    assert errno_of(lambda: os.rename(mount.path / "new", inside)) == errno.EINVAL


def test_a_name_of_256_bytes_is_too_long_even_to_look_for(mount):
    long = mount.path / ("l" * 256)
    for operation in (long.lstat, long.touch, long.mkdir):
        assert errno_of(operation) == errno.ENAMETOOLONG
    (mount.path / ("l" * 255)).touch()


# What the Hub cannot keep lives in the workspace.


def test_modes_times_links_attributes_and_empty_directories_survive_a_remount(mount):
    file = mount.path / "small.txt"
    os.chmod(file, 0o640)
    os.utime(file, ns=(0, -1_500_000_001))
    os.symlink("dir/other.txt", mount.path / "link")
    os.setxattr(mount.path / "dir", "user.note", b"kept")
    os.makedirs(mount.path / "empty/tree", mode=0o750)
    remount(mount)
    status = file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime_ns == -1_500_000_001
    assert file.read_bytes() == SMALL
    assert os.readlink(mount.path / "link") == "dir/other.txt"
    assert (mount.path / "link").read_bytes() == b"other\n"
    assert os.getxattr(mount.path / "dir", "user.note") == b"kept"
    assert (mount.path / "empty/tree").is_dir()


def test_inode_numbers_are_the_same_after_a_remount(mount):
    (mount.path / "new").touch()
    os.rename(mount.path / "dir", mount.path / "moved")
    paths = ["new", "moved", "moved/sub", "moved/sub/deep.txt", "small.txt"]
    before = [(mount.path / path).stat().st_ino for path in paths]
    remount(mount)
    assert [(mount.path / path).stat().st_ino for path in paths] == before
    assert len(set(before)) == len(paths)


def test_what_was_written_is_there_after_a_kill(mount):
    (mount.path / "new.bin").write_bytes(SMALL)
    handle = os.open(mount.path / "large.bin", os.O_WRONLY)
    os.write(handle, b"not synced, not closed")
    os.unlink(mount.path / "dir/other.txt")
    mount.kill()
    assert errno_of(lambda: os.close(handle)) in (None, errno.ENOTCONN)
    mount.restart()
    assert (mount.path / "new.bin").read_bytes() == SMALL
    assert (mount.path / "large.bin").read_bytes()[:22] == b"not synced, not closed"
    assert not (mount.path / "dir/other.txt").exists()


# Several at once.


def test_appends_of_several_processes_all_arrive(mount):
    script = "import os,sys\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
    script += "for n in range(200): os.write(fd, b'%s %03d\\n' % (sys.argv[2].encode(), n))"
    log = mount.path / "log"
    writers = [subprocess.Popen([sys.executable, "-c", script, log, name]) for name in "abcd"]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    lines = log.read_text().splitlines()
    assert sorted(lines) == sorted(f"{name} {n:03d}" for name in "abcd" for n in range(200))


def test_locks_work_between_processes(mount):
    probe = "import fcntl,sys\nf = open(sys.argv[1], 'r+b')\n"
    probe += "try: getattr(fcntl, sys.argv[2])(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    probe += "except BlockingIOError: sys.exit(3)"
    file = mount.path / "small.txt"
    for kind in ("flock", "lockf"):
        with file.open("r+b") as held:
            getattr(fcntl, kind)(held, fcntl.LOCK_EX)
            done = subprocess.run([sys.executable, "-c", probe, file, kind], timeout=30)
            assert done.returncode == 3, kind
        assert subprocess.run([sys.executable, "-c", probe, file, kind], timeout=30).returncode == 0


def test_a_listing_goes_on_as_it_began_while_names_change(mount):
    folder = mount.path / "many"
    folder.mkdir()
    for n in range(300):
        (folder / f"{n:03d}").touch()
    with os.scandir(folder) as entries:
        seen = [next(entries).name for _ in range(10)]
        for n in range(0, 300, 2):
            (folder / f"{n:03d}").unlink()
        (folder / "new").touch()
        seen += [entry.name for entry in entries]
    assert len(seen) == len(set(seen))
    assert {f"{n:03d}" for n in range(1, 300, 2)} <= set(seen)


# The workspace.


def test_the_workspace_is_its_owners_alone(mount):
    (mount.path / "new.bin").write_bytes(SMALL)
    os.truncate(mount.path / "large.bin", 100)
    for workspace in journal.workspaces(mount.folder / "state"):
        journal.check_permissions(workspace)
    assert mount.unmount() == 0
    journal.check(mount.folder / "state")


def test_a_second_writable_mount_is_refused_and_names_the_first(mount, sample, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    done = mount.run("mount", "-f", "-w", f"hf://{sample}", other, check=False)
    assert done.returncode != 0
    assert str(mount.path) in done.stderr and str(mount.process.pid) in done.stderr
    assert "--workspace" in done.stderr


def test_another_workspace_has_other_edits(mount, sample, new_editable_mount):
    (mount.path / "mine").touch()
    other = new_editable_mount(f"hf://{sample}", start=False)
    other.environment["XDG_STATE_HOME"] = mount.environment["XDG_STATE_HOME"]
    other.start(f"hf://{sample}", *EDITING, "--workspace", "second")
    assert not (other.path / "mine").exists()
    (other.path / "theirs").touch()
    assert not (mount.path / "theirs").exists()
    assert len(journal.workspaces(mount.folder / "state")) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A disk with 30 MiB above the floor of 256 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=286m", "tmpfs", folder)
    yield folder
    run("umount", "--lazy", folder)


def test_a_full_disk_is_enospc_and_costs_nothing_else(new_editable_mount, sample, small_disk):
    mount = new_editable_mount(f"hf://{sample}", start=False)
    mount.environment["XDG_STATE_HOME"] = str(small_disk)
    mount.start(f"hf://{sample}", *EDITING)
    kept = noise(2 * MEBIBYTE, seed=62)
    (mount.path / "kept.bin").write_bytes(kept)
    room = os.statvfs(mount.path)
    assert 0 < room.f_bavail * room.f_frsize < 30 * MEBIBYTE
    written = 0
    with pytest.raises(OSError) as failure, (mount.path / "big.bin").open("wb", 0) as file:
        while written < 40 * MEBIBYTE:
            written += file.write(kept)
    assert failure.value.errno == errno.ENOSPC
    assert (mount.path / "big.bin").stat().st_size == written
    free = os.statvfs(small_disk)
    assert free.f_bavail * free.f_frsize >= 255 * MEBIBYTE
    with (mount.path / "small.txt").open("r+b") as file:
        large = 100 * MEBIBYTE
        assert errno_of(lambda: os.posix_fallocate(file.fileno(), 0, large)) == errno.ENOSPC
    # Names can still change, and what goes makes room again.
    (mount.path / "empty").mkdir()
    os.rename(mount.path / "kept.bin", mount.path / "empty/kept.bin")
    os.unlink(mount.path / "big.bin")
    (mount.path / "again.bin").write_bytes(kept)
    remount(mount)
    assert (mount.path / "empty/kept.bin").read_bytes() == kept
    assert (mount.path / "again.bin").read_bytes() == kept
    assert (mount.path / "small.txt").read_bytes() == SMALL


# Cases the reference model found.


def test_regression_opening_an_empty_file_with_o_trunc_gives_it_a_new_time(mount):
    before = (mount.path / "empty.txt").stat().st_mtime_ns
    (mount.path / "empty.txt").write_bytes(b"")
    assert (mount.path / "empty.txt").stat().st_mtime_ns > before


def test_regression_fallocate_within_a_file_gives_it_a_new_time(mount):
    before = (mount.path / "small.txt").stat().st_mtime_ns
    with (mount.path / "small.txt").open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 100)
    assert (mount.path / "small.txt").stat().st_mtime_ns > before
    assert (mount.path / "small.txt").read_bytes() == SMALL


def test_regression_writing_beyond_what_the_disk_can_address_is_efbig(mount):
    with (mount.path / "small.txt").open("r+b", 0) as file:
        assert errno_of(lambda: os.pwrite(file.fileno(), b"x", 1 << 62)) == errno.EFBIG
    assert (mount.path / "small.txt").read_bytes() == SMALL


def test_regression_opening_for_writing_alone_is_no_edit(mount):
    with (mount.path / "dir/other.txt").open("r+b") as file:
        assert file.read() == b"other\n"
    assert mount.unmount() == 0
    (workspace,) = journal.workspaces(mount.folder / "state")
    assert journal.names(workspace) == []
