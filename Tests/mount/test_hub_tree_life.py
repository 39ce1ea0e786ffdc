"""The whole Hub as a tree: repos that are dropped when idle, a Hub that is away, and the end."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_tree import open_repos, wait_until

STAT = """
import os, sys
try:
    os.stat(sys.argv[1])
except OSError as error:
    sys.exit(error.errno)
"""


def is_blocked(process: subprocess.Popen) -> bool:
    """True while a process is in newfstatat (262 on x86-64, 79 on AArch64), asleep."""
    with open(f"/proc/{process.pid}/syscall") as file:
        return file.read().split()[0] in ("262", "79")


def look(path: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", STAT, path])


def test_a_repo_that_nobody_uses_is_dropped(new_mount, account, model):
    mount = new_mount("hf://", "--repo-idle", 1)
    file = mount.path / "models" / model / "config.json"
    assert file.read_text() == "{}\n"
    assert open_repos(mount) == [f"models/{model}"]
    account.commit("model", "config.json", '{"v": 2}\n')
    # A mount of one commit, as long as it is open.
    assert file.read_text() == "{}\n"
    wait_until(lambda: open_repos(mount) == [])
    assert file.read_text() == '{"v": 2}\n'


def test_a_negative_answer_does_not_keep_a_repo_open(new_mount, model):
    mount = new_mount("hf://", "--repo-idle", 1)
    repo = mount.path / "models" / model
    assert not (repo / "absent.txt").exists()
    assert not (repo / "sub/absent.txt").exists()
    wait_until(lambda: open_repos(mount) == [])


def test_an_open_file_keeps_its_repo(new_mount, account, model):
    mount = new_mount("hf://", "--repo-idle", 1)
    folder = mount.path / "models" / model
    with (folder / "config.json").open() as file:
        account.commit("model", "config.json", '{"v": 2}\n')
        (mount.path / "models" / account.create("other") / ".gitattributes").read_text()
        wait_until(lambda: open_repos(mount) == [f"models/{model}"])
        time.sleep(2)
        assert open_repos(mount) == [f"models/{model}"]
        assert file.read() == "{}\n"
    wait_until(lambda: open_repos(mount) == [])


def test_a_working_directory_keeps_its_repo(new_mount, model):
    mount = new_mount("hf://", "--repo-idle", 1)
    folder = mount.path / "models" / model / "sub"
    shell = subprocess.Popen(
        ["sh"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(3)
    assert open_repos(mount) == [f"models/{model}"]
    output, _ = shell.communicate("pwd -P; cat a.txt\n", timeout=30)
    assert output == f"{folder}\na\n"
    wait_until(lambda: open_repos(mount) == [])


def test_a_repo_that_was_deleted_goes_when_it_is_dropped(new_mount, account, model):
    mount = new_mount("hf://", "--repo-idle", 1, "--names-ttl", 1)
    folder = mount.path / "models" / model
    account.create("other")
    assert (folder / "config.json").read_text() == "{}\n"
    account.delete("model")
    wait_until(lambda: not folder.exists())
    assert os.listdir(folder.parent) == ["other"]


@contextlib.contextmanager
def away(hub):
    """The Hub is not there for a while."""
    hub.stop()
    try:
        yield
    finally:
        hub.start()


def test_what_is_cached_outlives_the_hub(hub, new_mount, account, model, tmp_path):
    cache = tmp_path / "cache"
    first = new_mount("hf://", cache=cache)
    assert (first.path / "models" / model / "config.json").read_text() == "{}\n"
    first.unmount()
    with away(hub):
        second = new_mount("hf://", "--read-timeout", 3, cache=cache)
        assert sorted(os.listdir(second.path)) == ["datasets", "models", "spaces"]
        strangers = [look(second.path / "models/nobody"), look(second.path / "models/nobody/x")]
        # Not held up by those who wait.
        assert (second.path / "models" / model / "config.json").read_text() == "{}\n"
        # Nobody is told that something is absent which may be there.
        assert [stranger.wait(timeout=60) for stranger in strangers] == [errno.EIO] * 2
        with pytest.raises(OSError) as caught:
            os.listdir(second.path / "models" / account.name)
        assert caught.value.errno == errno.EIO
    assert os.listdir(second.path / "models" / account.name) == ["model"]


def test_without_the_network_what_is_cached_is_there(hub, new_mount, account, model, tmp_path):
    cache = tmp_path / "cache"
    first = new_mount("hf://", cache=cache)
    assert (first.path / model / "config.json").read_text() == "{}\n"
    first.unmount()
    hub.reset_stats()
    second = new_mount("hf://", "--offline", cache=cache)
    assert (second.path / model / "config.json").read_text() == "{}\n"
    for name in ("nobody", f"models/{account.name}/other"):
        with pytest.raises(OSError) as caught:
            os.stat(second.path / name)
        assert caught.value.errno == errno.ENETUNREACH
    assert hub.asked() == {}


def test_a_list_outlives_the_hub(hub, new_mount, account, model):
    mount = new_mount("hf://", "--read-timeout", 2, "--names-ttl", 1)
    folder = mount.path / "models" / account.name
    assert os.listdir(folder) == ["model"]
    with away(hub):
        time.sleep(1.5)
        assert os.listdir(folder) == ["model"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_mount_while_repos_are_opened(hub, new_mount, account, number):
    names = [account.create(f"model-{n}") for n in range(40)]
    mount = new_mount("hf://", "--read-timeout", 60)
    os.listdir(mount.path / "models" / account.name)
    hub.reset_stats()
    hub.add_fault("--stall", "--class", "api")
    lookers = [look(mount.path / "models" / name / "config.json") for name in names]
    lookers += [look(mount.path / "models" / f"stranger-{n}") for n in range(40)]
    # As many questions as there may be at once; the others wait for their turn.
    wait_until(lambda: all(is_blocked(looker) for looker in lookers))
    wait_until(lambda: hub.requests("api") == 16)
    mount.signal(number)
    assert mount.wait(timeout=10) == 0
    assert not mount.is_mounted()
    for looker in lookers:
        assert looker.wait(timeout=10) in (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED)
    assert "never answered" not in mount.log()


def test_a_lookup_that_waits_can_be_interrupted(hub, new_mount, model):
    mount = new_mount("hf://", "--read-timeout", 60)
    hub.reset_stats()
    hub.add_fault("--stall", "--class", "api")
    looker = look(mount.path / "models" / model)
    wait_until(lambda: hub.requests("api") >= 1)
    looker.send_signal(signal.SIGKILL)
    assert looker.wait(timeout=10) == -signal.SIGKILL
    # Other names are still answered, and the mount ends in order.
    assert sorted(os.listdir(mount.path)) == ["datasets", "models", "spaces"]
    assert mount.unmount() == 0


def test_the_ordinary_way_to_unmount(new_mount, model):
    mount = new_mount("hf://")
    assert (mount.path / model / "config.json").read_text() == "{}\n"
    assert mount.unmount() == 0
