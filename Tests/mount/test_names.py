"""Names as git has them: bytes, whatever they look like and however long they are."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import subprocess
import threading

import pytest
from gitview import GitView
from samples import noise

COMPOSED = "d\u00e9"
DECOMPOSED = "de\u0301"
LONG = "n" * 251 + ".txt"
DEEP = "/".join(f"level-{number}" for number in range(60))

# Every name once in git and once, with bytes that are no text, in LFS.
NAMES = [
    "with space.txt",
    " leading and trailing ",
    "hash#question?.txt",
    "percent%.txt",
    "percent%2Fencoded.txt",
    "%41.txt",
    "plus+and&equals=.txt",
    "quote'double\".txt",
    "brackets[1]{2}(3).txt",
    "semi;colon:at@.txt",
    "-dash.txt",
    ".hidden",
    "...",
    "\u65e5\u672c\u8a9e-\U0001f917.txt",
    "\u0645\u0631\u062d\u0628\u0627.txt",
    "zero\u200bwidth.txt",
    COMPOSED,
    DECOMPOSED,
    "\u0301accent first",
    # To Unicode the Kelvin sign and the letter are equal; to who ignores case all three are.
    "\u212a",
    "K",
    "k",
    LONG,
    "\u00e9" * 127 + "x",
]

# A directory below which the files of both spellings lie, in both spellings.
TWINS = {
    f"twins/{folder}/{file}": f"{folder!a} {file!a}\n".encode()
    for folder in (COMPOSED, DECOMPOSED, "\u0301d")
    for file in (COMPOSED, DECOMPOSED, "only in " + folder.encode().hex())
}

LARGE_DIRECTORY = {f"large/entry-{number:04}-{'x' * (number % 40)}" for number in range(5000)}


def contents() -> dict[str, bytes]:
    files = {f"git/{name}": b"%d\n" % number for number, name in enumerate(NAMES)}
    files |= {f"lfs/{name}": noise(600, seed=number) for number, name in enumerate(NAMES)}
    files |= {f"dir {name}/{name}": b"inside\n" for name in NAMES[:16]}
    return files | TWINS | {f"{DEEP}/bottom.txt": b"bottom\n"}


@pytest.fixture(scope="module", params=["one page", "by directory"])
def sample(request, hub, import_repo) -> str:
    """The names in a repo that one listing holds, and in one listed directory by directory."""
    files = contents()
    if request.param == "by directory":
        files |= {path: b"" for path in LARGE_DIRECTORY}
    repo = import_repo(files)
    listed = GitView(hub.root / f"models/{repo}.git").files()
    assert listed - {".gitattributes"} == set(files), "the Hub itself lost a name"
    return repo


@pytest.fixture
def mount(new_mount, sample):
    return new_mount(f"hf://{sample}")


def names(folder) -> list[bytes]:
    return sorted(os.listdir(os.fsencode(folder)))


def test_directories_list_them_as_they_are(mount):
    expected = sorted(name.encode() for name in NAMES)
    assert names(mount.path / "git") == expected
    assert names(mount.path / "lfs") == expected


def test_each_is_found_and_read(mount):
    for path, data in contents().items():
        assert (mount.path / path).read_bytes() == data, ascii(path)


def test_each_is_found_before_its_directory_was_listed(mount):
    for number, name in enumerate(NAMES):
        status = os.stat(mount.path / "git" / name)
        assert status.st_size == len(b"%d\n" % number), ascii(name)


def test_spellings_of_one_directory_are_two(mount):
    folders = [COMPOSED, DECOMPOSED, "\u0301d"]
    assert names(mount.path / "twins") == sorted(folder.encode() for folder in folders)
    inodes = {os.stat(mount.path / "twins" / folder).st_ino for folder in folders}
    assert len(inodes) == 3
    for folder in folders:
        own = "only in " + folder.encode().hex()
        expected = sorted(name.encode() for name in (COMPOSED, DECOMPOSED, own))
        assert names(mount.path / "twins" / folder) == expected


def test_a_spelling_that_is_not_there_is_missing(mount):
    assert (mount.path / "git/.hidden").exists()
    absent = ["hash#question", "percent%2fencoded.txt", "A.txt", "with%20space.txt"]
    for name in absent + ["n" * 254, "n" * 255, "n" * 256]:
        with pytest.raises(FileNotFoundError):
            os.stat(mount.path / "git" / name)


def test_a_directory_with_an_odd_name_can_be_mounted(new_mount, sample):
    for folder in (COMPOSED, DECOMPOSED):
        mount = new_mount(f"hf://{sample}/twins/{folder}")
        own = "only in " + folder.encode().hex()
        assert names(mount.path) == sorted(name.encode() for name in (COMPOSED, DECOMPOSED, own))
        assert (mount.path / own).read_bytes() == TWINS[f"twins/{folder}/{own}"]


def test_the_deepest_file_can_be_reached_and_walked_to(mount):
    assert (mount.path / DEEP / "bottom.txt").read_bytes() == b"bottom\n"
    found = subprocess.run(
        ["find", mount.path / "level-0", "-type", "f"], capture_output=True, timeout=60, check=True
    )
    assert found.stdout.decode().strip() == str(mount.path / DEEP / "bottom.txt")


# Room for a few entries: 5000 take hundreds of calls.
BUFFER_BYTES = 512


@pytest.fixture(scope="module")
def large_sample(import_repo) -> str:
    return import_repo({path: path.encode() for path in LARGE_DIRECTORY})


@pytest.fixture
def large_mount(new_mount, large_sample):
    return new_mount(f"hf://{large_sample}")


def test_small_buffers_see_each_entry_once(large_mount):
    listed = list(read_directory(large_mount.path / "large", BUFFER_BYTES))
    assert sorted(listed) == sorted([".", ".."] + [path[6:] for path in LARGE_DIRECTORY])


def test_entries_looked_up_meanwhile_change_nothing(large_mount):
    folder = large_mount.path / "large"
    expected = sorted(path[6:] for path in LARGE_DIRECTORY)
    failures = []

    def look_up(step: int) -> None:
        for name in expected[::step]:
            if (folder / name).read_bytes() != f"large/{name}".encode():
                failures.append(name)

    threads = [threading.Thread(target=look_up, args=(step,)) for step in (31, 37, 41)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        listed = []
        for name in read_directory(folder, BUFFER_BYTES):
            mode = os.lstat(folder / name).st_mode
            assert stat.S_ISREG(mode) or name in (".", "..")
            listed.append(name)
        assert sorted(listed) == sorted([".", ".."] + expected)
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert not failures


def test_a_listing_goes_on_where_it_was_told_to(large_mount):
    folder = os.open(large_mount.path / "large", os.O_RDONLY | os.O_DIRECTORY)
    try:
        first = getdents(folder, BUFFER_BYTES)
        rest = [entry for entries in iter_entries(folder, 4096) for entry in entries]
        name, offset = first[1][0], first[1][1]
        os.lseek(folder, offset, os.SEEK_SET)
        again = [entry for entries in iter_entries(folder, 4096) for entry in entries]
    finally:
        os.close(folder)
    assert [entry for entry, _ in first[2:] + rest] == [entry for entry, _ in again]
    assert name not in [entry for entry, _ in again]


def read_directory(folder, buffer_bytes: int):
    """The names of a directory as the kernel hands them out into buffers of this size."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for entries in iter_entries(descriptor, buffer_bytes):
            yield from (name for name, _ in entries)
    finally:
        os.close(descriptor)


def iter_entries(descriptor: int, buffer_bytes: int):
    while entries := getdents(descriptor, buffer_bytes):
        yield entries


def getdents(descriptor: int, buffer_bytes: int) -> list[tuple[str, int]]:
    """One getdents64: names, each with the offset of the entry behind it. Source: man 2 getdents."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 217, "aarch64": 61}[os.uname().machine]
    buffer = ctypes.create_string_buffer(buffer_bytes)
    count = libc.syscall(number, descriptor, buffer, buffer_bytes)
    if count < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    entries, start = [], 0
    while start < count:
        _, offset, length, _ = struct.unpack_from("=QqHB", buffer, start)
        name = buffer[start + 19 : start + length].split(b"\0", 1)[0]
        entries.append((os.fsdecode(name), offset))
        start += length
    return entries
