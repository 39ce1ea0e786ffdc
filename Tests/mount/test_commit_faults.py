"""Every fault of localhub at every request of a commit.

Whatever goes wrong, the edits are at the Hub exactly once in the end: by the same commit when the
fault passes, else by the next one. HUBFS_WAIT_FACTOR makes a debug build wait less between tries.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path

import localhub
import pytest
from conftest import import_folder, mounts
from published import Judge, Published, tree
from samples import noise

# As many parts as three, in little time.
PART_BYTES = 25_000
START = {
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "config.json": b'{"layers": 12}\n',
    "theirs/note.txt": b"0\n",
    "bases/one.bin": noise(3000, seed=1),
    "texts/one.txt": b"one\n",
}

# What a commit asks for, in this order; a write's requests have a body.
WRITES = [
    "validate-yaml", "preupload", "lfs-batch", "lfs-upload", "lfs-part", "lfs-complete", "lfs-verify",
    "commit", "paths-info",
]  # fmt: skip
LOOKS = ["info", "tree", "commits"]
# Bytes of the base that a commit needs to make edited and renamed files whole.
READS = ["resolve", "cdn"]

# Faults that pass by themselves: nobody learns of them.
PASSING = {
    "status 503": ("--status", 503, "--retry-after", 0),
    "late status": ("--late-status", 504),
    "cut": ("--cut", 3),
    "reset": ("--reset",),
    "answer lost": ("--lose-answer",),
    "gzip": ("--gzip",),
}
PASSING_OF_WRITES = PASSING | {"reset in the request": ("--reset-upload", 20)}
# Those of every kind, where they can mean something of their own.
PASSING_OF_ALL_KINDS = PASSING_OF_WRITES | {
    "status 500": ("--status", 500),
    "quota": ("--429", 0),
    "delay": ("--delay", "100ms"),
    "link": ("--link", "rtt=20ms,window=100KB"),
    "reset in the answer": ("--reset", "--at", 3),
    "stall": ("--stall",),
    "stall in the answer": ("--stall", "--at", 3),
    "answer stalled": ("--stall-answer",),
}

UNSENT, CONFLICT, REFUSED = 5, 13, 14


class Faulty(Judge):
    """A mount whose Hub is ill, and the cases it has been through."""

    def __init__(self, published: Published, mount, folder: Path):
        super().__init__(published, mount, folder)
        self.cases = itertools.count()
        self.is_sound = True
        # Of a commit without faults: how often each endpoint is asked.
        self.edit_once()
        self.published.hub.reset_stats()
        self.commit()
        self.asked = self.published.hub.stats()["endpoints"]
        self.glance()

    @property
    def hub(self) -> localhub.LocalHub:
        return self.published.hub

    def edit_once(self) -> None:
        """Edits that ask the Hub for everything a commit can ask for; others each time."""
        case = next(self.cases)

        def script(root: Path) -> None:
            (root / "README.md").write_bytes(START["README.md"] + b"%d\n" % case)
            (root / "config.json").write_bytes(b'{"layers": %d}\n' % case)
            (root / "small.bin").write_bytes(noise(1000, seed=1000 + case))
            (root / "parts.bin").write_bytes(noise(2 * PART_BYTES + 1000, seed=2000 + case))
            (root / f"new-{case}.txt").write_bytes(b"new %d\n" % case)
            (root / f"new-{case - 1}.txt").unlink(missing_ok=True)

        self.edit(script)

    def try_with(self, endpoint: str, number: int, *fault: object):
        """`hubfs commit`, with a fault at the n-th request to an endpoint."""
        self.hub.add_fault(*fault, "--to", endpoint, "--skip", number - 1, "--count", 1)
        done = self.mount.run("commit", self.mount.path, check=False)
        (state,) = self.hub.faults()
        self.hub.clear_faults()
        assert state["matched"] >= number
        return done

    def commits_in_the_end(self) -> None:
        """Nothing is lost, and a commit without faults brings all of it to the Hub, once."""
        assert tree(self.mount.path) == tree(self.plain)
        self.commit()
        self.glance()


@pytest.fixture(scope="module")
def small_parts(tmp_path_factory) -> localhub.LocalHub:
    """A Hub that wants objects of some kilobytes in parts."""
    hub = localhub.LocalHub(
        tmp_path_factory.mktemp("small-parts") / "root",
        multipart_threshold=2 * PART_BYTES, part_size=PART_BYTES,
    )  # fmt: skip
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def new_judge(small_parts, tmp_path_factory):
    """Mounts new repos for writing; the waits of these mounts are short."""
    token = small_parts.create_token("lab", "write")
    folder = tmp_path_factory.mktemp("faults")
    source = folder / "source"
    for path, data in START.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    numbers = itertools.count()
    with mounts(small_parts, folder, token) as make:

        def new(*options: object, factor: float = 0.01) -> Faulty:
            place = folder / f"plain-{next(numbers)}"
            place.mkdir()
            published = Published(small_parts, import_folder(small_parts, source), token)
            mount = make(f"hf://{published.id}", start=False)
            mount.environment["HUBFS_WAIT_FACTOR"] = str(factor)
            mount.start(f"hf://{published.id}", "-w", "--read-timeout", 3, *options)
            return Faulty(published, mount, place)

        yield new


@pytest.fixture(scope="module")
def shared(new_judge) -> list[Faulty]:
    return [new_judge()]


@pytest.fixture
def judge(shared, new_judge, small_parts) -> Faulty:
    """One mount for all, as long as it is well."""
    if not shared[-1].is_sound:
        shared.append(new_judge())
    judge = shared[-1]
    judge.is_sound = False
    yield judge
    small_parts.clear_faults()


def passing(endpoint: str) -> dict[str, tuple]:
    if endpoint in ("lfs-part", "commit", "paths-info"):
        return PASSING_OF_ALL_KINDS
    return PASSING_OF_WRITES if endpoint in WRITES else PASSING


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(endpoint, name) for endpoint in WRITES + LOOKS for name in passing(endpoint)],
)
def test_a_fault_that_passes_is_not_seen(judge, endpoint, name):
    for number in range(1, judge.asked[endpoint] + 1):
        judge.edit_once()
        done = judge.try_with(endpoint, number, *passing(endpoint)[name])
        assert done.returncode == 0, done.stderr
        judge.glance()
    judge.is_sound = True


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize("name", ["status 503", "cut", "reset"])
def test_bytes_of_the_base_are_fetched_all_the_same(judge, endpoint, name):
    # Others have just made them, so that no cache has them.
    number = next(judge.cases)
    theirs = {f"bases/{number}.bin": noise(3000, seed=number), f"texts/{number}.txt": b"%d\n" % number}
    judge.published.commit(theirs)
    for path, data in theirs.items():
        (judge.plain / path).write_bytes(data)
    judge.mount.run("pull", judge.mount.path)
    judge.edit(lambda root: rename_and_edit(root, number))
    # The renamed file and the edited one are both asked for by resolve, one by a CDN.
    done = judge.try_with(endpoint, 1, *PASSING[name])
    assert done.returncode == 0, done.stderr
    judge.glance(commits=2)
    judge.is_sound = True


def rename_and_edit(root: Path, number: int) -> None:
    """Edits whose other bytes are at the Hub alone."""
    (root / f"texts/{number}.txt").rename(root / f"renamed-{number}.txt")
    with (root / f"bases/{number}.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"in the middle")


# What the Hub refuses: the code, and the next commit has it all.
REFUSALS = {
    401: REFUSED, 403: REFUSED, 404: REFUSED, 413: REFUSED, 422: REFUSED, 507: REFUSED,
}  # fmt: skip


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("endpoint", ["preupload", "lfs-batch", "lfs-verify", "commit"])
def test_a_refusal_says_why_and_keeps_all(judge, endpoint, status):
    judge.edit_once()
    why = "because of the weather"
    done = judge.try_with(endpoint, 1, "--status", status, "--message", why)
    assert done.returncode == REFUSALS[status], done.stderr
    assert why in done.stderr and str(status) in done.stderr and "the edits are kept" in done.stderr
    assert not judge.new_commits()
    judge.commits_in_the_end()
    judge.is_sound = True


@pytest.mark.parametrize("status", [400, 404, 409, 412])
@pytest.mark.parametrize("endpoint", WRITES + LOOKS)
def test_any_status_leaves_all_in_place(judge, endpoint, status):
    judge.edit_once()
    done = judge.try_with(endpoint, 1, "--status", status)
    assert done.returncode in (0, UNSENT, REFUSED), done.stderr
    assert done.returncode == 0 or str(status) in done.stderr
    assert len(judge.new_commits()) <= 1
    judge.commits_in_the_end()
    judge.is_sound = True


@pytest.mark.parametrize("endpoint", WRITES + LOOKS)
def test_an_answer_that_makes_no_sense_leaves_all_in_place(judge, endpoint):
    judge.edit_once()
    done = judge.try_with(endpoint, 1, "--corrupt")
    assert done.returncode in (0, UNSENT), done.stderr
    judge.commits_in_the_end()
    judge.is_sound = True
