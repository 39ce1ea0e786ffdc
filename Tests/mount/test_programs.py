"""Programs people use, run in a mount and in a plain folder: the same comes of it."""

from __future__ import annotations

import os
import pty
import shutil
import sqlite3
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy
import pytest
from conftest import run
from safetensors.numpy import load_file, save_file
from samples import MEBIBYTE, noise, text

FILES = {
    "README.md": b"# A model\n\nold words\n",
    "config.json": b'{"hidden": 768}\n',
    "model.safetensors": noise(12 * MEBIBYTE, seed=80),
    "data/one.txt": text(5000, seed=81),
    "data/deep/two.bin": noise(100_000, seed=82),
}


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def mount(new_editable_mount, sample):
    return new_editable_mount(f"hf://{sample}", "-w", "--commit", "manual")


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_sed_in_place(both):
    place = both(lambda at: run("sed", "-i", "s/old/new/", at / "README.md", at / "config.json"))
    assert (place / "README.md").read_bytes() == b"# A model\n\nnew words\n"


@pytest.mark.parametrize("backup", ["", "set backup backupcopy=no | ", "set backupcopy=yes | "])
def test_vim(both, backup):
    needs("vim")
    edit = f"{backup}%s/old/new/ | normal GoLast line"
    both(lambda at: run("vim", "-u", "NONE", "-es", "+" + edit, "+wq", at / "README.md"))


def test_nano(both):
    needs("nano")

    def edit(at: Path) -> None:
        outside, inside = pty.openpty()
        environment = {**os.environ, "TERM": "xterm"}
        command = ["nano", str(at / "README.md")]
        nano = subprocess.Popen(
            command, stdin=inside, stdout=inside, stderr=inside, env=environment
        )
        # Once it draws, the terminal takes keys as they are: write out, under that name, leave.
        assert os.read(outside, 1)
        os.write(outside, b"new \x0f\r\x18")
        drawing = threading.Thread(target=drain, args=(outside,), daemon=True)
        drawing.start()
        assert nano.wait(timeout=60) == 0
        os.close(inside)
        drawing.join(timeout=60)
        os.close(outside)
        assert (at / "README.md").read_bytes().startswith(b"new # A model")

    both(edit)


def drain(descriptor: int) -> None:
    """Reads a terminal until nobody has it open any more."""
    try:
        while os.read(descriptor, 4096):
            pass
    except OSError:
        pass


def test_git(both):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a"}
    identity |= {"GIT_COMMITTER_EMAIL": "a@b.c", "GIT_AUTHOR_DATE": "1700000000 +0000"}
    identity |= {"GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_CONFIG_GLOBAL": "/dev/null"}

    def work(at: Path) -> None:
        def git(*arguments: str) -> subprocess.CompletedProcess:
            return run("git", "-C", at, *arguments, env={**os.environ, **identity})

        git("init", "-q", "-b", "main")
        git("add", ".")
        git("commit", "-q", "-m", "First")
        (at / "README.md").write_text("changed\n")
        git("mv", "config.json", "settings.json")
        git("commit", "-q", "-a", "-m", "Second")
        git("gc", "-q", "--prune=now")
        git("fsck", "--strict")
        git("checkout", "-q", "HEAD~1")
        git("checkout", "-q", "main")
        assert git("status", "--porcelain").stdout == b""

    # The index holds inode numbers and times.
    both(work, ignoring=(".git/index",))


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"])
def test_sqlite(both, mode):
    def work(at: Path) -> None:
        database = sqlite3.connect(at / "data.db", isolation_level=None)
        assert database.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode.lower(),)
        database.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, text TEXT)")
        for start in range(0, 2000, 200):
            database.execute("BEGIN")
            rows = [(n, f"text {n} " * 20) for n in range(start, start + 200)]
            database.executemany("INSERT INTO row VALUES (?, ?)", rows)
            database.execute("COMMIT" if start != 600 else "ROLLBACK")
        database.execute("DELETE FROM row WHERE number % 3 = 0")
        database.execute("VACUUM")
        database.close()

    # A rollback journal begins with a random number.
    place = both(work, ignoring=("data.db-journal",))
    database = sqlite3.connect(place / "data.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    expected = sum(n % 3 != 0 for n in range(2000) if not 600 <= n < 800)
    assert database.execute("SELECT count(*) FROM row").fetchone() == (expected,)
    database.close()


def test_sqlite_of_two_processes_with_wal(mount):
    script = "import sqlite3,sys\nd = sqlite3.connect(sys.argv[1], timeout=60)\n"
    script += "for n in range(100): d.execute('INSERT INTO row VALUES (?)', (n,)); d.commit()"
    database = sqlite3.connect(mount.path / "data.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE row (number)")
    database.commit()
    command = ["python3", "-c", script, str(mount.path / "data.db")]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert database.execute("SELECT count(*), sum(number) FROM row").fetchone() == (200, 9900)
    database.close()


def test_tar(both, tmp_path):
    source = tmp_path / "source"
    (source / "deep/empty").mkdir(parents=True)
    for number in range(200):
        (source / f"deep/{number}.txt").write_bytes(text(number * 10 + 1, seed=number))
    (source / "link").symlink_to("deep/1.txt")
    os.chmod(source / "deep/2.txt", 0o755)
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        archive.add(source, "unpacked")
    place = both(lambda at: run("tar", "xf", tmp_path / "archive.tar", "-C", at))
    assert (place / "unpacked/deep/7.txt").stat().st_mtime == (
        pytest.approx((source / "deep/7.txt").stat().st_mtime, abs=1)
    )
    run("tar", "cf", tmp_path / "again.tar", "-C", place, "unpacked")


def test_rsync(both, tmp_path):
    needs("rsync")
    source = tmp_path / "source"
    shutil.copytree(Path(__file__).parent, source / "tests", ignore=shutil.ignore_patterns("__*"))
    (source / "large.bin").write_bytes(noise(3 * MEBIBYTE, seed=83))

    def work(at: Path) -> None:
        run("rsync", "-a", f"{source}/", at / "copied")
        with (at / "copied/large.bin").open("r+b") as file:
            file.write(b"changed")
        run("rsync", "-a", "--inplace", "--ignore-times", f"{source}/", at / "copied")
        again = run("rsync", "-ai", "--delete", f"{source}/", at / "copied")
        assert again.stdout == b""

    both(work)


def test_zip(both):
    def work(at: Path) -> None:
        with zipfile.ZipFile(at / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in FILES:
                archive.writestr(zipfile.ZipInfo(name), (at / name).read_bytes())
        with zipfile.ZipFile(at / "all.zip", "a") as archive:
            archive.writestr(zipfile.ZipInfo("more.txt"), b"more")
        with zipfile.ZipFile(at / "all.zip") as archive:
            assert archive.testzip() is None
            archive.extractall(at / "unzipped")

    place = both(work)
    assert (place / "unzipped/model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_numpy_memmap(both):
    def work(at: Path) -> None:
        array = numpy.memmap(at / "array.npy", "f4", "w+", shape=(1000, 700))
        array[:] = numpy.arange(700)
        array[::7] *= 2
        array.flush()
        del array
        weights = numpy.memmap(at / "model.safetensors", "u1", "r+")
        weights[5 * MEBIBYTE : 5 * MEBIBYTE + 10_000] = 7
        weights.flush()
        del weights
        numpy.save(at / "saved.npy", numpy.arange(100_000))

    both(work)


def test_safetensors(both):
    generator = numpy.random.default_rng(84)
    tensors = {f"layer.{n}": generator.random((64, 1000), "f4") for n in range(20)}

    def work(at: Path) -> None:
        save_file(tensors, at / "model.safetensors")
        tensors["layer.0"][:] = 1
        save_file(tensors, at / "model.safetensors")

    place = both(work)
    loaded = load_file(place / "model.safetensors")
    assert all(numpy.array_equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_a_trainer_that_keeps_two_checkpoints(both):
    """Each is written beside its place, synced, and renamed into it; the oldest is removed."""

    def work(at: Path) -> None:
        for step in range(1, 5):
            temporary = at / f"tmp-checkpoint-{step}"
            (temporary / "optimizer").mkdir(parents=True)
            for shard in range(3):
                path = temporary / f"model-{shard}.bin"
                path.write_bytes(noise(300_000, seed=step * 10 + shard))
                sync(path)
            (temporary / "optimizer/state.bin").write_bytes(noise(50_000, seed=step))
            os.rename(temporary, at / f"checkpoint-{step}")
            sync(at)
            if step > 2:
                shutil.rmtree(at / f"checkpoint-{step - 2}")

    place = both(work)
    assert sorted(path.name for path in place.glob("*checkpoint*")) == [
        "checkpoint-3",
        "checkpoint-4",
    ]


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_concurrent_builds_of_many_small_files(both):
    """Processes that write, rename and read each other's directories, as `make -j` has them."""
    script = """
import os, random, sys
at, number = sys.argv[1], int(sys.argv[2])
choose = random.Random(number)
folder = os.path.join(at, "out", str(number))
os.makedirs(folder)
for n in range(150):
    path = os.path.join(folder, f"{n}.o")
    with open(path + ".tmp", "wb") as file: file.write(choose.randbytes(choose.randrange(5000)))
    os.rename(path + ".tmp", path)
    if n % 3 == 0: os.unlink(path)
    os.listdir(os.path.join(at, "out"))
"""

    def work(at: Path) -> None:
        jobs = [
            subprocess.Popen(["python3", "-c", script, str(at), str(number)]) for number in range(4)
        ]
        assert [job.wait(timeout=120) for job in jobs] == [0] * 4

    place = both(work)
    assert sum(len(files) for _, _, files in os.walk(place / "out")) == 400
