"""The managed plugin of packaging/docker-plugin: the plugin as a container that dockerd itself runs."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from pathlib import Path

import localhub
import program
import pytest
from conftest import FILES
from test_volumes import IDLE, state

PLUGIN = "hubfs-managed:latest"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def installed(engine, hub, root_folder, tmp_path_factory):
    """The plugin, created and enabled. Its value is the folder of the host that it keeps things in."""
    data = tmp_path_factory.mktemp("plugin-data")
    shutil.copy(
        localhub.REPOSITORY / "packaging/docker-plugin/config.json",
        root_folder.parent / "config.json",
    )
    engine.docker("plugin", "create", PLUGIN, root_folder.parent)
    engine.docker(
        "plugin", "set", PLUGIN, f"state.source={data}", f"HF_ENDPOINT={hub.address.endpoint}"
    )
    engine.docker("plugin", "enable", PLUGIN)
    yield data
    engine.remove_containers()
    engine.docker("plugin", "disable", "--force", PLUGIN)
    engine.docker("plugin", "rm", PLUGIN)


@pytest.fixture
def volume(engine, installed, repo, write_token):
    (installed / "token").write_text(write_token)
    names: list[str] = []

    def create(**options: str) -> str:
        name = f"managed{next(_numbers)}"
        names.append(name)
        words = [f"--opt={key.replace('_', '-')}={value}" for key, value in options.items()]
        engine.docker("volume", "create", "--driver", PLUGIN, f"--opt=repo={repo}", *words, name)
        return name

    yield create
    engine.remove_containers()
    engine.docker("volume", "rm", *names)


def plugin_process() -> int:
    """The first process of the plugin's container."""
    [pid] = [
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if program.command_line(int(path.name))[:3] == ["/usr/bin/hubfs", "serve", "docker"]
    ]
    return pid


def test_it_reads_and_writes(engine, volume, git):
    name = volume(rw="true", token_file="/data/token", uid="1000", gid="1000")
    script = "cat /box/data/a.txt; echo managed > /box/new.txt"
    shown = engine.run("--user", "1000:1000", "-v", f"{name}:/box", "busybox", "sh", "-c", script)
    assert shown == FILES["data/a.txt"].decode()
    assert git.run("show", "main:new.txt") == b"managed\n"
    assert state(engine, name) == "not mounted"


def test_bad_options_are_shown(engine, installed):
    words = ["--driver", PLUGIN, "--opt=repo=lab/absent", "refused"]
    assert "knows no such repo" in engine.refused("volume", "create", *words)


def test_killed_it_takes_its_mounts_along_and_knows_its_volumes_again(engine, volume, git):
    name = volume(rw="true", token_file="/data/token")
    container = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(container, "echo acknowledged > /box/new.txt; sync")
    killed = plugin_process()
    os.kill(killed, signal.SIGKILL)
    program.wait_until(lambda: program.has_ended(killed))
    shown = engine.docker("exec", container, "cat", "/box/new.txt", check=False)
    assert "not connected" in shown.stderr
    # dockerd starts it again by itself.
    program.wait_until(lambda: _is_back(engine, name), 60)
    assert engine.run("-v", f"{name}:/box", "busybox", "cat", "/box/new.txt") == "acknowledged\n"
    engine.docker("restart", "--time", 2, container)
    assert engine.execute(container, "cat /box/new.txt") == "acknowledged\n"
    engine.docker("stop", container)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:new.txt") == b"acknowledged\n"


def _is_back(engine, name: str) -> bool:
    return engine.docker("volume", "inspect", name, check=False).returncode == 0


def test_disabled_it_commits_what_it_takes_along(engine, volume, git):
    name = volume(rw="true", token_file="/data/token")
    container = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(container, "echo in time > /box/new.txt")
    engine.docker("plugin", "disable", "--force", PLUGIN)
    assert git.run("show", "main:new.txt") == b"in time\n"
    engine.docker("plugin", "enable", PLUGIN)
    assert engine.run("-v", f"{name}:/box", "busybox", "cat", "/box/new.txt") == "in time\n"
