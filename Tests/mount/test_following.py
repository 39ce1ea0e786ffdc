"""A mount that follows its branch: what it costs, and what goes wrong around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from following import NEVER, Branch
from published import Published
from samples import MEBIBYTE, noise

COUNT = 10_000
PAGE = 1000
LARGE = noise(9 * MEBIBYTE, seed=130)
START = {
    "config.json": b'{"layers": 12}\n',
    "large.bin": LARGE,
    "run/a.txt": b"a\n",
    "run/deep/b.txt": b"b\n",
    "other/c.txt": b"c\n",
}


@pytest.fixture
def follow(hub, import_repo, new_mount, write_token):
    """Mounts a new repo with these files."""

    def make(files: dict[str, bytes], *options: str, path: str = "") -> Branch:
        published = Published(hub, import_repo(files), write_token)
        return Branch(published, new_mount(f"hf://{published.id}{path}", *(options or (NEVER,))))

    return make


def walk(branch: Branch) -> dict[str, bytes]:
    """All that is in a mount."""
    return {
        os.path.relpath(os.path.join(folder, name), branch.path):
            open(os.path.join(folder, name), "rb").read()
        for folder, _, names in os.walk(branch.path)
        for name in names
        if name != ".gitattributes"
    }  # fmt: skip


def test_one_file_of_ten_thousand(hub, follow):
    files = {f"many/{number:05}.txt": b"%d\n" % number for number in range(COUNT)}
    branch = follow({**files, "other/c.txt": b"c\n"})
    folder = branch.path / "many"
    before = {entry.name: entry.inode() for entry in os.scandir(folder)}
    assert len(before) == COUNT and os.listdir(branch.path / "other") == ["c.txt"]
    sizes = {name: (folder / name).stat().st_size for name in list(before)[:100]}
    branch.commit({"many/05000.txt": b"another\n"})
    hub.reset_stats()
    branch.pull()
    assert (folder / "05000.txt").read_bytes() == b"another\n"
    assert hub.asked()["tree"] == 1 + COUNT // PAGE
    after = {entry.name: entry.inode() for entry in os.scandir(folder)}
    assert {name for name in after if after[name] != before.get(name)} == {"05000.txt"}
    assert sizes == {name: (folder / name).stat().st_size for name in sizes}
    # Nothing of it is asked again.
    assert hub.asked()["tree"] == 1 + COUNT // PAGE
    branch.commit({"other/c.txt": b"C\n"})
    hub.reset_stats()
    branch.pull()
    assert (branch.path / "other/c.txt").read_bytes() == b"C\n"
    assert {entry.name: entry.inode() for entry in os.scandir(folder)} == after
    assert hub.asked()["tree"] == 2


def test_ten_thousand_new_names(follow):
    branch = follow(START)
    absent = [branch.path / f"run/{number:05}.txt" for number in range(COUNT)]
    assert not any(path.exists() for path in absent)
    branch.go({f"run/{path.name}": b"new\n" for path in absent})
    assert all(path.stat().st_size == 4 for path in reversed(absent))
    branch.go(delete=("run/",))
    assert not any(path.exists() for path in absent)
    assert sorted(walk(branch)) == ["config.json", "large.bin", "other/c.txt"]


def test_a_renamed_folder(hub, follow):
    branch = follow(START)
    assert walk(branch) == START
    with open(branch.path / "run/deep/b.txt", "rb", buffering=0) as file:
        branch.commit({"moved/a.txt": b"a\n", "moved/deep/b.txt": b"b\n"}, delete=("run/",))
        hub.reset_stats()
        branch.pull()
        moved = {name.replace("run/", "moved/"): data for name, data in START.items()}
        assert walk(branch) == moved
        # Its trees and contents are known by what they are.
        assert hub.asked() == {"info": 1, "commits": 1, "tree": 1}
        assert file.read() == b"b\n"
        branch.go({"run/deep/b.txt": b"again\n"}, delete=("moved/",))
    assert (branch.path / "run/deep/b.txt").read_bytes() == b"again\n"


def test_a_folder_of_a_repo(hub, follow):
    branch = follow(START, path="/run")
    assert sorted(walk(branch)) == ["a.txt", "deep/b.txt"]
    branch.go({"config.json": b"{}\n"})
    assert sorted(walk(branch)) == ["a.txt", "deep/b.txt"]
    commit = branch.go({"run/deep/b.txt": b"B\n", "run/new.txt": b"new\n"})
    assert walk(branch) == {"a.txt": b"a\n", "deep/b.txt": b"B\n", "new.txt": b"new\n"}
    branch.commit(delete=("run/",))
    done = branch.mount.run("pull", branch.mount.path, check=False)
    assert done.returncode == 3 and "the mount stays" in done.stderr
    assert branch.shown == commit == branch.status["commit"]
    assert walk(branch) == {"a.txt": b"a\n", "deep/b.txt": b"B\n", "new.txt": b"new\n"}
    branch.go({"run/back.txt": b"back\n"})
    assert walk(branch) == {"back.txt": b"back\n"}


@pytest.mark.parametrize("endpoint", ["info", "commits", "tree"])
def test_nobody_waits_while_the_network_stands_still(hub, follow, endpoint):
    branch = follow(START, "--follow=0.3", "--read-timeout", "60")
    assert walk(branch) == START
    shown = branch.shown
    hub.add_fault("--stall", "--to", endpoint)
    new = branch.commit({"run/a.txt": b"A\n"})
    end = time.monotonic() + 3
    looks = 0
    while time.monotonic() < end:
        began = time.monotonic()
        assert walk(branch) == START
        assert time.monotonic() - began < 2
        looks += 1
    assert looks > 3 and branch.shown == shown
    hub.clear_faults()
    branch.wait(lambda: (branch.path / "run/a.txt").read_bytes() == b"A\n", seconds=60)
    assert branch.shown == new


@pytest.mark.parametrize("endpoint", ["info", "tree"])
def test_it_ends_while_the_network_stands_still(hub, follow, endpoint):
    branch = follow(START, "--follow=0.3", "--read-timeout", "60")
    assert walk(branch) == START
    hub.add_fault("--stall", "--to", endpoint)
    branch.commit({"run/a.txt": b"A\n"})
    time.sleep(1)
    assert branch.mount.unmount() == 0


def test_a_pull_that_waits_is_told_of_the_end(hub, follow):
    branch = follow(START)
    hub.add_fault("--stall", "--to", "info")
    pull = threading.Thread(target=lambda: results.append(
        branch.mount.run("pull", branch.mount.path, check=False)))  # fmt: skip
    results: list[subprocess.CompletedProcess] = []
    pull.start()
    time.sleep(1)
    assert branch.mount.unmount() == 0
    pull.join(timeout=30)
    assert results[0].returncode != 0 and results[0].stderr


def test_questions_grow_rare_while_the_hub_does_not_answer(hub, follow):
    branch = follow(START, "--follow=0.1")
    hub.add_fault("--status", 404, "--to", "info")
    branch.wait(lambda: branch.status["follow"]["error"] is not None)
    hub.reset_stats()
    time.sleep(4)
    # 0.2, 0.4, 0.8, 1.6, 3.2 seconds apart, and not every 0.1.
    assert 1 <= hub.asked().get("info", 0) <= 6
    assert branch.mount.log().count("cannot be followed now") == 1


def test_a_quota_that_is_half_used_is_left_to_readers(hub, import_repo, new_mount, write_token):
    branch = Branch(
        Published(hub, import_repo(START), write_token),
        new_mount(f"hf://{'lab'}/none", start=False),
    )
    branch.mount.start(f"hf://{branch.published.id}", "--follow=0.1")
    assert (branch.path / "config.json").read_bytes() == START["config.json"]
    hub.add_fault("--status", 429, "--retry-after", 30, "--to", "info", "--count", 1)
    branch.wait(lambda: branch.status["follow"]["error"] is not None)
    hub.reset_stats()
    time.sleep(2)
    assert hub.asked().get("info", 0) == 0


def test_a_daemon_that_is_killed_leaves_nothing_wrong(follow):
    branch = follow(START, "--follow=0.05")
    for number in range(6):
        branch.commit({"run/a.txt": b"%d\n" % number, f"run/{number}/x.txt": b"x\n"})
        walk(branch)
        time.sleep(0.04 * number)
        branch.mount.kill()
        branch.mount.restart()
        branch.wait(lambda: branch.shown == branch.published.head)
        expected = {
            **START, "run/a.txt": b"%d\n" % number,
            **{f"run/{n}/x.txt": b"x\n" for n in range(number + 1)},
        }  # fmt: skip
        branch.wait(lambda expected=expected: walk(branch) == expected)


def test_a_process_in_a_folder_that_goes_and_comes_back(follow):
    branch = follow(START)
    script = "import os, sys\nfor line in sys.stdin: print(sorted(os.listdir('.')), flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=branch.path / "run", text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip

    def look() -> str:
        process.stdin.write("look\n")
        process.stdin.flush()
        return process.stdout.readline()

    try:
        assert look() == "['a.txt', 'deep']\n"
        branch.go({"run/new.txt": b"new\n"})
        assert look() == "['a.txt', 'deep', 'new.txt']\n"
        branch.go(delete=("run/",))
        branch.go({"run/other.txt": b"o\n"})
        assert look() == "['a.txt', 'deep', 'new.txt']\n"
        assert os.listdir(branch.path / "run") == ["other.txt"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)


def test_the_size_of_what_is_mounted_follows(follow):
    branch = follow(START)
    assert walk(branch) == START
    before = os.statvfs(branch.path)
    branch.go({"more.bin": LARGE[: 8 * MEBIBYTE]})
    after = os.statvfs(branch.path)
    grown = after.f_blocks * after.f_frsize - before.f_blocks * before.f_frsize
    assert abs(grown - 8 * MEBIBYTE) <= 2 * after.f_frsize
