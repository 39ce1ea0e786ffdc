"""The whole Hub as a tree: what looking at it costs, in requests."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from conftest import run
from hub_tree import Account, open_repos

# What file managers, indexers and shells look for in every directory.
PROBES_NO_REPO_HAS = [
    ".git", ".hidden", ".Trash", ".Trash-1000", ".directory", ".DS_Store", "._.", ".nomedia",
    "lost+found", "System Volume Information", "$RECYCLE.BIN", "a b", "x--y", "repo.git", "@main",
    "name@", "name@a..b", "name@%2F", "-x", "x" * 97,
]  # fmt: skip
PROBES_THAT_MIGHT_BE_REPOS = ["autorun.inf", "folder.jpg", "desktop.ini", "Thumbs.db"]

# HubTreePolicy.unknownBurst: names nobody knows that are asked for at once; then one each second.
BURST = 60


@pytest.fixture
def organisations(hub, account) -> list[Account]:
    """Three accounts with two repos of each kind."""
    made = [Account(hub, account.token) for _ in range(3)]
    for organisation in made:
        for number in range(2):
            for kind, sdk in (("model", None), ("dataset", None), ("space", "static")):
                # Each has a commit of its own.
                files = {"name.txt": f"{kind} {organisation.name} {number}"}
                organisation.create(f"{kind}-{number}", kind=kind, sdk=sdk, files=files)
    return made


@pytest.fixture
def member_mount(hub, new_mount, organisations):
    """The tree for somebody who belongs to all of them."""
    first, *others = [organisation.name for organisation in organisations]
    mount = new_mount("hf://", start=False)
    mount.environment["HF_TOKEN"] = hub.create_token(first, "read", namespaces=",".join(others))
    mount.start("hf://")
    hub.reset_stats()
    return mount


def errors(paths: list[Path]) -> list[int]:
    """The errno of each stat(2), all at once; 0 for what is there."""
    found = [0] * len(paths)

    def look(index: int) -> None:
        try:
            os.stat(paths[index])
        except OSError as error:
            found[index] = error.errno

    threads = [threading.Thread(target=look, args=(index,)) for index in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return found


def test_find_asks_for_the_lists_it_looks_into(hub, member_mount, organisations):
    for _ in range(2):
        lines = run("find", member_mount.path, "-maxdepth", 2).stdout.splitlines()
        # The root, three kinds and three links; each kind has the three accounts.
        assert len(lines) == 1 + 3 + 3 + 9
        assert hub.asked() == {"whoami": 1}
    for _ in range(2):
        lines = run("find", member_mount.path, "-maxdepth", 3, "-ls").stdout.splitlines()
        assert len(lines) == 1 + 3 + 3 + 9 + 3 * 6
        assert hub.asked() == {"whoami": 1, "list": 9}


def test_a_long_listing_opens_no_repo(hub, member_mount, organisations):
    folder = member_mount.path / "models" / organisations[0].name
    run("ls", "-lAZ", folder)
    run("ls", "-la", member_mount.path)
    assert hub.asked() == {"whoami": 1, "list": 1}
    assert open_repos(member_mount) == []


def test_an_indexer_opens_each_repo_once(hub, member_mount, organisations):
    run("find", member_mount.path)
    asked = hub.asked()
    # 18 repos: what the revision names, when that was, and one listing each.
    assert asked == {"whoami": 1, "list": 9, "info": 18, "commits": 18, "tree": 18}
    run("find", member_mount.path)
    assert hub.asked() == asked


@pytest.mark.parametrize("folder", ["", "models", "datasets", "models/{account}"])
def test_names_that_no_repo_can_have_cost_nothing(hub, new_mount, account, model, folder):
    tree = new_mount("hf://").path
    place = tree / folder.format(account=account.name)
    os.stat(place)
    hub.reset_stats()
    assert set(errors([place / name for name in PROBES_NO_REPO_HAS])) <= {
        errno.ENOENT, errno.ENAMETOOLONG,
    }  # fmt: skip
    assert hub.asked() == {}


def test_absence_is_remembered_for_its_time(hub, new_mount, account, model):
    tree = new_mount("hf://").path
    folder = tree / "models" / account.name
    os.stat(folder)
    hub.reset_stats()
    absent = [folder / name for name in PROBES_THAT_MIGHT_BE_REPOS]
    absent += [tree / "models" / f"{name}-x" for name in PROBES_THAT_MIGHT_BE_REPOS]
    for path in absent:
        assert errors([path] * 5) == [errno.ENOENT] * 5
    asked = hub.asked()
    # In an account: the repo alone. Beside accounts: an account's list, then a repo without one.
    assert asked == {"info": 8, "list": 4}
    for _ in range(3):
        assert set(errors(absent)) == {errno.ENOENT}
    assert hub.asked() == asked


def test_a_repo_that_is_made_later_appears_within_the_time(hub, new_mount, account, model):
    tree = new_mount("hf://", "--names-ttl", 2).path
    later = tree / "models" / account.name / "later"
    other = Account(hub, account.token)
    assert errors([later, tree / "models" / other.name]) == [errno.ENOENT] * 2
    assert os.listdir(later.parent) == ["model"]
    account.create("later", files={"a.txt": "a\n"})
    other.create("first")
    deadline = time.monotonic() + 30
    while errors([later, tree / "models" / other.name]) != [0, 0]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (later / "a.txt").read_text() == "a\n"
    assert set(os.listdir(later.parent)) == {"model", "later"}


def test_a_repo_that_a_list_shows_is_there(new_mount, account, model):
    folder = new_mount("hf://", "--names-ttl", 3).path / "models" / account.name
    assert os.listdir(folder) == ["model"]
    time.sleep(2)
    # That it is absent is remembered for longer than the list, and for the kernel under another name.
    assert errors([folder / "later@main"]) == [errno.ENOENT]
    account.create("later", files={"a.txt": "a\n"})
    deadline = time.monotonic() + 30
    while os.listdir(folder) == ["model"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (folder / "later/a.txt").read_text() == "a\n"


def test_many_unknown_names_are_asked_for_slowly(hub, new_mount, account, model):
    tree = new_mount("hf://", "--read-timeout", 4).path
    folder = tree / "models" / account.name
    assert (folder / "model/config.json").read_text() == "{}\n"
    hub.reset_stats()
    began = time.monotonic()
    found = errors([folder / f"unknown-{number}" for number in range(150)])
    seconds = time.monotonic() - began
    assert set(found) == {errno.ENOENT, errno.EAGAIN}
    assert BURST <= found.count(errno.ENOENT) <= BURST + seconds + 1
    assert hub.asked() == {"info": found.count(errno.ENOENT)}
    # Who knows what is there is not held up.
    for name in os.listdir(folder):
        assert (folder / name).is_dir()


def test_a_lookup_that_waits_holds_up_no_other(hub, new_mount, account, model):
    tree = new_mount("hf://", "--read-timeout", 20).path
    folder = tree / "models" / account.name
    assert os.listdir(folder) == ["model"]
    hub.reset_stats()
    hub.add_fault("--stall", "--class", "api")
    waiting = threading.Thread(target=errors, args=([folder / f"unknown-{n}" for n in range(5)],))
    waiting.start()
    while hub.requests("api") < 5:
        time.sleep(0.02)
    for _ in range(5):
        assert (folder / "model").is_dir()
        assert not (folder / ".git").exists()
    assert waiting.is_alive()
    hub.clear_faults()
    waiting.join(timeout=60)
    assert not waiting.is_alive()


def test_equal_questions_are_one(hub, new_mount, account, model):
    tree = new_mount("hf://").path
    hub.reset_stats()
    hub.add_fault("--delay", "300ms", "--class", "api")
    assert set(errors([tree / "models" / model / "config.json"] * 40)) == {0}
    assert hub.asked() == {"list": 1, "info": 1, "commits": 1, "tree": 1}


def test_two_hundred_repos_at_once(hub, new_mount, account):
    names = [f"model-{number:03}" for number in range(200)]
    for name in names:
        account.create(name, files={"config.json": name})
    mount = new_mount("hf://")
    folder = mount.path / "models" / account.name
    hub.reset_stats()
    texts: dict[str, str] = {}

    def read(name: str) -> None:
        texts[name] = (folder / name / "config.json").read_text()

    threads = [threading.Thread(target=read, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert texts == {name: name for name in names}
    asked = hub.asked()
    assert (asked["info"], asked["commits"], asked["tree"]) == (200, 200, 200)
    assert mount.peak_memory_bytes() < 200 << 20
