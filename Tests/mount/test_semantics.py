"""docs/SEMANTICS.md, sentence by sentence: `test_sNN_…` is about the sentence that ends with (SNN).

Other files go deeper into some of them; here each has one short and direct test.
"""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest
from conftest import run
from contents import errno_of
from gitview import GitView
from localhub import REPOSITORY
from samples import MEBIBYTE, git_oid, noise, sha256, text

LARGE = noise(24 * MEBIBYTE, seed=30)
MIDDLE = noise(3 * MEBIBYTE, seed=31)
SMALL = text(20_000, seed=32)
FILES = {
    "large.bin": LARGE,
    "middle.bin": MIDDLE,
    "small.txt": SMALL,
    "dir/sub/deep.txt": b"deep\n",
    "empty.txt": b"",
}

# More than libfuse's largest number of answering threads by default.
READER_COUNT = 12


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture(scope="module")
def git(hub, sample) -> GitView:
    return GitView(hub.root / f"models/{sample}.git")


@pytest.fixture
def mount(new_mount, sample):
    return new_mount(f"hf://{sample}", "--read-timeout", 4)


def test_the_document_and_the_tests_have_the_same_numbers():
    document = (REPOSITORY / "docs/SEMANTICS.md").read_text()
    written = [int(number) for number in re.findall(r"\(S(\d+)\)", document)]
    names = [name for name in globals() if name.startswith("test_s")]
    tested = [int(re.match(r"test_s(\d\d)_", name)[1]) for name in names]
    assert sorted(written) == list(range(1, len(written) + 1))
    assert set(written) == set(tested)


def test_s01_every_change_is_refused_with_erofs(mount):
    file, folder = mount.path / "small.txt", mount.path / "dir"
    for operation in (
        lambda: os.open(file, os.O_RDWR),
        lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
        lambda: os.open(mount.path / "new", os.O_WRONLY | os.O_CREAT),
        lambda: os.truncate(file, 0),
        lambda: os.unlink(file),
        lambda: os.rename(file, mount.path / "moved"),
        lambda: os.link(file, mount.path / "hard"),
        lambda: os.symlink("small.txt", mount.path / "soft"),
        lambda: os.mknod(mount.path / "pipe", stat.S_IFIFO),
        lambda: os.mkdir(mount.path / "folder"),
        lambda: os.rmdir(folder),
        lambda: os.chmod(file, 0o600),
        lambda: os.chown(file, 1, 1),
        lambda: os.utime(file),
        lambda: os.setxattr(file, "user.note", b"x"),
        lambda: os.removexattr(file, "user.hubfs.oid"),
    ):
        assert errno_of(operation) == errno.EROFS
    assert file.read_bytes() == SMALL


@pytest.mark.alone
def test_s02_a_mount_keeps_its_commit(new_mount, import_repo):
    repo = import_repo({"kept.txt": b"before\n", "changed.txt": b"before\n"})
    mount = new_mount(f"hf://{repo}")
    commit = os.getxattr(mount.path, "user.hubfs.commit")
    import_repo({"changed.txt": b"after\n", "new.txt": b"new\n"}, name=repo.removeprefix("lab/"))
    # Read for the first time after the push.
    mount.drop_page_cache()
    assert sorted(os.listdir(mount.path)) == [".gitattributes", "changed.txt", "kept.txt"]
    assert (mount.path / "changed.txt").read_bytes() == b"before\n"
    assert os.getxattr(mount.path, "user.hubfs.commit") == commit
    assert (new_mount(f"hf://{repo}").path / "changed.txt").read_bytes() == b"after\n"


def test_s03_bytes_are_those_of_the_oid(hub, mount):
    hub.add_fault("--corrupt", "--length", 1, "--at", 1000)
    for path in ("small.txt", "middle.bin"):
        assert errno_of((mount.path / path).read_bytes) == errno.EIO
    # A large file is known to be wrong when it is whole: its open handles fail from then on.
    with open(mount.path / "large.bin", "rb", buffering=0) as file:
        assert errno_of(lambda: read_until_it_fails(file)) == errno.EIO
    hub.clear_faults()
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data


def read_until_it_fails(file) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        file.seek(0)
        while file.read(MEBIBYTE):
            pass


def test_s04_a_read_is_whole_or_fails(hub, mount):
    hub.add_fault("--cut", 100_000, "--class", "cdn")
    with open(mount.path / "large.bin", "rb", buffering=0) as file:
        for offset in (0, MEBIBYTE - 1, len(LARGE) - 5000):
            expected = LARGE[offset : offset + 300_000]
            # Cut again and again, but each time further on.
            assert os.pread(file.fileno(), 300_000, offset) == expected
        assert os.pread(file.fileno(), 10, len(LARGE)) == b""


def test_s05_a_read_without_progress_ends_with_eio(hub, new_mount, sample):
    # In 2 s the client asks twice: each time it waits a third of the time-out, and 1 s before a third.
    mount = new_mount(f"hf://{sample}", "--read-timeout", 2)
    hub.reset_stats()
    hub.add_fault("--stall", "--class", "cdn")
    with open(mount.path / "large.bin", "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        assert errno_of(lambda: os.pread(file.fileno(), 4096, 0)) == errno.EIO
    # The kernel has asked for the page once more: that must not begin another time-out.
    assert 1 <= hub.requests("cdn") <= 2


def test_s06_enoent_means_that_the_path_is_not_there(hub, new_mount, import_repo):
    files = {f"many/{number}": b"" for number in range(2200)} | {"dir/file.txt": b"x\n"}
    mount = new_mount(f"hf://{import_repo(files)}", "--read-timeout", 4)
    assert errno_of(lambda: os.stat(mount.path / "absent")) == errno.ENOENT
    for fault in (("--status", 503), ("--stall",), ("--reset",)):
        hub.add_fault(*fault, "--path", "*/tree/*")
        for name in ("file.txt", "absent"):
            assert errno_of(lambda: os.stat(mount.path / "dir" / name)) == errno.EIO
        hub.clear_faults()
    assert (mount.path / "dir/file.txt").read_bytes() == b"x\n"
    assert errno_of(lambda: os.stat(mount.path / "dir/absent")) == errno.ENOENT


def test_s07_a_part_is_fetched_and_not_the_file(hub, mount):
    hub.reset_stats()
    with open(mount.path / "large.bin", "rb", buffering=0) as file:
        offset = 10 * MEBIBYTE
        assert os.pread(file.fileno(), 4096, offset) == LARGE[offset : offset + 4096]
    assert 4096 <= hub.bytes_sent("cdn") < 3 * MEBIBYTE


def test_s08_what_is_cached_needs_no_network(hub, new_mount, sample):
    first = new_mount(f"hf://{sample}")
    for path, data in FILES.items():
        assert (first.path / path).read_bytes() == data
    first.unmount()
    again = new_mount(f"hf://{sample}", cache=first.cache)
    hub.reset_stats()
    hub.add_fault("--reset")
    for path, data in FILES.items():
        assert (again.path / path).read_bytes() == data
    assert hub.asked() == {}


def test_s09_times_are_the_commit_date(new_mount, git, sample):
    (latest, *_) = git.log()
    for mount in (new_mount(f"hf://{sample}"), new_mount(f"hf://{sample}@{latest.oid}")):
        for path in ("", "dir", "dir/sub/deep.txt", "large.bin"):
            status = os.stat(mount.path / path)
            nanoseconds = {status.st_mtime_ns, status.st_ctime_ns, status.st_atime_ns}
            assert nanoseconds == {latest.timestamp * 10**9}


def test_s10_inode_numbers_depend_on_repo_and_path(new_mount, import_repo, sample):
    paths = ["", "dir", "dir/sub/deep.txt", "small.txt"]

    def numbers(source: str) -> list[int]:
        mount = new_mount(source)
        return [os.stat(mount.path / path).st_ino for path in paths]

    first = numbers(f"hf://{sample}")
    assert len(set(first)) == len(paths)
    assert numbers(f"hf://{sample}") == first
    twin = import_repo(FILES)
    assert not set(numbers(f"hf://{twin}")) & set(first)
    other = numbers(f"hf://{twin}")
    import_repo({"small.txt": b"another commit\n"}, name=twin.removeprefix("lab/"))
    assert numbers(f"hf://{twin}") == other


def test_s10_inode_numbers_are_those_readdir_tells(mount):
    for entry in os.scandir(mount.path):
        assert entry.inode() == os.stat(entry.path).st_ino


def test_s11_sizes_are_real_and_blocks_count_all(mount):
    for path, data in FILES.items():
        status = os.stat(mount.path / path)
        assert status.st_size == len(data)
        assert status.st_blocks == -(-len(data) // 512)
    assert os.getxattr(mount.path / "large.bin", "user.hubfs.cached") == b"0"


def test_s12_the_preferred_block_is_128_kib(mount):
    for path in ("", "dir", *FILES):
        assert os.stat(mount.path / path).st_blksize == 128 << 10


def test_s13_permissions_come_from_the_umask_and_the_owner_from_who_mounted(new_mount, sample):
    for options, file, folder in (((), 0o644, 0o755), (("--umask", "077"), 0o600, 0o700)):
        mount = new_mount(f"hf://{sample}", *options)
        for path, kind, permissions in (
            ("small.txt", stat.S_IFREG, file),
            ("dir", stat.S_IFDIR, folder),
            ("", stat.S_IFDIR, folder),
        ):
            status = os.stat(mount.path / path)
            assert status.st_mode == kind | permissions
            assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_s14_statfs_is_never_zero(new_mount, import_repo, sample):
    for repo in (sample, import_repo({"empty.txt": b""})):
        mount = new_mount(f"hf://{repo}")
        facts = os.statvfs(mount.path)
        assert facts.f_blocks > 0 and facts.f_frsize > 0 and facts.f_files > 0
        assert facts.f_namemax >= 255
        assert facts.f_flag & os.ST_RDONLY


def test_s15_identities_are_attributes(mount, git):
    tree = git.tree()
    commit = git.rev().encode()
    for path, data in FILES.items():
        file = mount.path / path
        attributes = {name: os.getxattr(file, name) for name in os.listxattr(file)}
        expected = {"user.hubfs.commit": commit, "user.hubfs.cached": b"0"}
        if git.pointer(path):
            expected |= dict.fromkeys(
                ("user.hubfs.oid", "user.hubfs.sha256"), sha256(data).encode()
            )
        else:
            expected["user.hubfs.oid"] = git_oid(data).encode()
        assert attributes == expected
    assert os.listxattr(mount.path) == ["user.hubfs.commit"]
    assert os.getxattr(mount.path / "dir", "user.hubfs.oid").decode() == tree["dir"].oid
    (mount.path / "small.txt").read_bytes()
    cached = os.getxattr(mount.path / "small.txt", "user.hubfs.cached")
    assert int(cached) == len(SMALL)
    # ls -l asks for these, and every file anew unless it hears that there are none.
    for name in ("security.selinux", "system.posix_acl_access"):
        with pytest.raises(OSError) as refused:
            os.getxattr(mount.path / "small.txt", name)
        assert refused.value.errno == errno.EOPNOTSUPP


def test_s16_there_are_no_holes(mount, tmp_path):
    with open(mount.path / "large.bin", "rb") as file:
        for offset in (0, 12_345_678, len(LARGE) - 1):
            assert os.lseek(file.fileno(), offset, os.SEEK_DATA) == offset
            assert os.lseek(file.fileno(), offset, os.SEEK_HOLE) == len(LARGE)
        assert errno_of(lambda: os.lseek(file.fileno(), len(LARGE), os.SEEK_DATA)) == errno.ENXIO
    run("cp", "--sparse=always", mount.path / "large.bin", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == LARGE


@pytest.mark.alone
def test_s17_an_open_directory_is_one_listing(hub, new_mount, import_repo):
    files = {f"dir/{number:04}": b"" for number in range(3000)}
    mount = new_mount(f"hf://{import_repo(files)}")
    with os.scandir(mount.path / "dir") as entries:
        seen = [next(entries).name]
        # Neither a lost Hub nor a kernel that forgets changes what is being listed.
        hub.add_fault("--reset")
        mount.drop_page_cache()
        seen += [entry.name for entry in entries]
    assert sorted(seen) == [path.removeprefix("dir/") for path in files]


def test_s18_locks_work_within_a_mount_alone(new_mount, sample):
    one = new_mount(f"hf://{sample}")
    other = new_mount(f"hf://{sample}", cache=one.cache)
    file = "small.txt"
    with open(one.path / file) as first, open(one.path / file) as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        try_again = fcntl.LOCK_EX | fcntl.LOCK_NB
        assert errno_of(lambda: fcntl.flock(second, try_again)) == errno.EWOULDBLOCK
        with open(other.path / file) as elsewhere:
            fcntl.flock(elsewhere, try_again)
        fcntl.flock(first, fcntl.LOCK_UN)
        fcntl.flock(second, try_again)
    # Record locks are between processes, and a shared one needs no right to write.
    with open(one.path / file) as holder:
        fcntl.lockf(holder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert lock_in_the_way(one.path / file) == (fcntl.F_RDLCK, os.getpid())
        assert lock_in_the_way(other.path / file)[0] == fcntl.F_UNLCK


def lock_in_the_way(path) -> tuple[int, int]:
    """Kind and holder of the lock that keeps another process from locking the file for writing."""
    program = """if True:
        import fcntl, struct, sys
        wanted = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)
        found = fcntl.fcntl(open(sys.argv[1]), fcntl.F_GETLK, wanted)
        kind, _, _, _, pid = struct.unpack("hhqqi", found)
        print(kind, pid)
    """
    kind, pid = run(sys.executable, "-c", program, path).stdout.split()
    return int(kind), int(pid)


@pytest.mark.parametrize("flags", [mmap.MAP_SHARED, mmap.MAP_PRIVATE], ids=["shared", "private"])
def test_s19_files_can_be_mapped(mount, flags):
    with open(mount.path / "large.bin", "rb") as file:
        with mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ) as mapping:
            for offset in (5 * MEBIBYTE, 4096, len(LARGE) - 1):
                assert mapping[offset : offset + 4096] == LARGE[offset : offset + 4096]


READER = """
import os, signal, sys
if sys.argv[2] == "handles":
    signal.signal(signal.SIGINT, lambda *_: None)
else:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
file = os.open(sys.argv[1], os.O_RDONLY)
print("reading", flush=True)
try:
    os.pread(file, 4096, 0)
except OSError as error:
    sys.exit(error.errno)
"""


def test_s20_a_fatal_signal_ends_a_reader_that_waits(hub, new_mount, sample):
    mount = new_mount(f"hf://{sample}", "--read-timeout", 8)
    hub.add_fault("--stall", "--class", "cdn")
    for number, treatment, timeout, status in (
        (signal.SIGKILL, "default", 4, -signal.SIGKILL),
        (signal.SIGINT, "default", 4, -signal.SIGINT),
        (signal.SIGINT, "handles", 60, errno.EIO),
    ):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, mount.path / "large.bin", treatment],
            stdout=subprocess.PIPE,
        )
        assert reader.stdout.readline() == b"reading\n"
        time.sleep(0.3)
        assert reader.poll() is None
        reader.send_signal(number)
        assert reader.wait(timeout=timeout) == status
        reader.stdout.close()


@pytest.mark.alone
def test_s21_readers_that_wait_hold_up_nobody_else(hub, new_mount, sample):
    mount = new_mount(f"hf://{sample}", "--read-timeout", 60)
    assert (mount.path / "middle.bin").read_bytes() == MIDDLE
    mount.drop_page_cache()
    hub.add_fault("--stall", "--path", "*large.bin*")
    hub.add_fault("--stall", "--class", "cdn")
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, mount.path / "large.bin", "default"],
            stdout=subprocess.PIPE,
        )
        for _ in range(READER_COUNT)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline() == b"reading\n"
        copied = run("cat", mount.path / "middle.bin", timeout=30)
        assert copied.stdout == MIDDLE
        assert (mount.path / "small.txt").read_bytes() == SMALL
        assert os.stat(mount.path / "large.bin").st_size == len(LARGE)
        assert all(reader.poll() is None for reader in readers)
    finally:
        for reader in readers:
            reader.kill()
            reader.wait(timeout=30)
            reader.stdout.close()


def test_s22_dot_hubfs_is_found_and_not_listed(new_mount, import_repo, sample):
    mount = new_mount(f"hf://{sample}")
    folder = mount.path / ".hubfs"
    assert ".hubfs" not in os.listdir(mount.path)
    assert sorted(os.listdir(folder)) == ["errors", "log", "stats", "status.json"]
    assert json.loads((folder / "status.json").read_text())["mountPoint"] == str(mount.path)
    assert errno_of(lambda: (folder / "new").write_text("")) == errno.EROFS
    owned = import_repo({".hubfs/mine.txt": b"mine\n"})
    mount = new_mount(f"hf://{owned}")
    assert ".hubfs" in os.listdir(mount.path)
    assert os.listdir(mount.path / ".hubfs") == ["mine.txt"]
