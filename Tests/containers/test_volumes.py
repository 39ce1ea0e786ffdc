"""Volumes of `hubfs serve docker` in containers of a real dockerd."""

from __future__ import annotations

import hashlib
import json
import os
import signal

import program
import pytest
from conftest import FILES

IDLE = ["busybox", "sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
# `docker stop` gives a container ten seconds, and this one uses them all.
DEAF = ["busybox", "sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"]


def inspect(engine, volume: str) -> dict:
    [description] = json.loads(engine.docker("volume", "inspect", volume).stdout)
    return description


def state(engine, volume: str) -> str:
    return inspect(engine, volume)["Status"]["state"]


def test_a_container_reads_a_repo(engine, plugin, volume, repo):
    name = volume(uri=f"hf://{repo}")
    shown = engine.run("-v", f"{name}:/model:ro", "busybox", "sha256sum", "/model/weights.bin")
    assert shown.split()[0] == hashlib.sha256(FILES["weights.bin"]).hexdigest()
    assert engine.run("-v", f"{name}:/model", "busybox", "ls", "/model/data") == "a.txt\n"
    assert state(engine, name) == "not mounted"
    described = inspect(engine, name)
    assert described["Driver"] == "hubfs" and described["Scope"] == "local"
    assert name in engine.docker("volume", "ls", "--quiet").stdout.split()
    engine.docker("volume", "rm", name)
    assert plugin.call("List") == {"Volumes": []}


def test_a_part_of_a_repo_at_a_revision(engine, volume, repo, git):
    name = volume(repo=repo, revision=git.rev(), subpath="data")
    assert engine.run("-v", f"{name}:/data", "busybox", "cat", "/data/a.txt") == "first\n"


def test_a_volume_that_is_read_only_cannot_be_written(engine, volume, repo):
    name = volume(repo=repo)
    arguments = ["run", "--rm", "--network", "none", "-v", f"{name}:/model", "busybox"]
    shown = engine.refused(*arguments, "sh", "-c", "echo x > /model/new.txt")
    assert "Read-only file system" in shown


def test_what_a_container_writes_is_at_the_hub_when_it_has_ended(engine, writable, git):
    name = writable()
    engine.run("-v", f"{name}:/box", "busybox", "sh", "-c", "echo written > /box/new.txt")
    assert git.run("show", "main:new.txt") == b"written\n"
    assert engine.run("-v", f"{name}:/box", "busybox", "cat", "/box/new.txt") == "written\n"


def test_two_containers_share_a_volume(engine, plugin, writable, git):
    name = writable()
    one = engine.start_container("-v", f"{name}:/box", *IDLE)
    two = engine.start_container("-v", f"{name}:/box", *IDLE)
    assert plugin.status(name)["containers"] == 2
    engine.execute(one, "echo from one > /box/one.txt")
    assert engine.execute(two, "cat /box/one.txt") == "from one\n"
    engine.execute(two, "echo from two >> /box/one.txt")
    assert engine.execute(one, "cat /box/one.txt") == "from one\nfrom two\n"
    engine.docker("stop", one)
    program.wait_until(lambda: plugin.status(name)["containers"] == 1)
    assert state(engine, name) == "mounted" and "one.txt" not in git.files()
    assert engine.execute(two, "cat /box/one.txt") == "from one\nfrom two\n"
    engine.docker("stop", two)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:one.txt") == b"from one\nfrom two\n"


def test_an_ordinary_user_of_a_container_reads_and_writes(engine, writable, git):
    name = writable(uid="1000", gid="1000")
    script = "id -u; cat /box/data/a.txt; echo mine > /box/new.txt; stat -c %u:%g /box/new.txt"
    shown = engine.run("--user", "1000:1000", "-v", f"{name}:/box", "busybox", "sh", "-c", script)
    assert shown == "1000\nfirst\n1000:1000\n"
    assert git.run("show", "main:new.txt") == b"mine\n"


def test_without_its_number_an_ordinary_user_only_reads(engine, writable):
    name = writable()
    user = ["--user", "1000:1000", "-v", f"{name}:/box", "busybox"]
    assert engine.run(*user, "cat", "/box/data/a.txt") == "first\n"
    shown = engine.refused(
        "run", "--rm", "--network", "none", *user, "sh", "-c", "echo x > /box/new.txt")  # fmt: skip
    assert "Permission denied" in shown


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["repo=lab/absent"], "the Hub knows no such repo"),
        (["token=hf_secret"], "unknown option 'token'"),
        (["uri=hf://lab/a", "repo=lab/a"], "exclude each other"),
        (["repo=lab/a", "uid=somebody"], "'somebody' is invalid"),
        (["repo=lab/a", "rw=sometimes"], "is true or false"),
    ],
)
def test_bad_options_are_shown_by_docker(engine, plugin, options, sentence):
    words = [f"--opt={option}" for option in options]
    shown = engine.refused("volume", "create", "--driver", "hubfs", *words, "refused")
    assert sentence in shown
    assert "refused" not in engine.docker("volume", "ls", "--quiet").stdout.split()


def test_why_a_mount_fails_is_shown_by_docker(engine, volume, repo):
    name = volume(repo=repo, rw="true")
    arguments = ["run", "--rm", "--network", "none", "-v", f"{name}:/box", "busybox", "true"]
    assert "token" in engine.refused(*arguments)
    assert state(engine, name) == "not mounted"


def test_a_volume_in_use_is_not_removed(engine, volume, repo):
    name = volume(repo=repo)
    container = engine.start_container("-v", f"{name}:/model", *IDLE)
    assert "volume is in use" in engine.refused("volume", "rm", name)
    assert engine.execute(container, "cat /model/data/a.txt") == "first\n"


def test_a_killed_container_is_committed_too(engine, writable, git):
    name = writable()
    container = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(container, "echo last words > /box/new.txt")
    pid = engine.docker("inspect", "--format", "{{.State.Pid}}", container).stdout
    os.kill(int(pid), signal.SIGKILL)
    engine.docker("wait", container)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:new.txt") == b"last words\n"


def test_docker_stop_of_a_container_that_needs_its_ten_seconds(engine, writable, git):
    name = writable()
    container = engine.start_container("-v", f"{name}:/box", *DEAF)
    engine.execute(container, "echo stopped > /box/new.txt")
    engine.docker("stop", container)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:new.txt") == b"stopped\n"


def test_a_slow_commit_is_shown_while_it_goes_on(engine, plugin, hub, writable, git):
    plugin.end()
    plugin.start("--unmount-timeout", 2)
    name = writable()
    container = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(container, "echo slow > /box/new.txt")
    hub.add_fault("--delay", "8s", "--to", "commit", "--count", 1)
    engine.docker("stop", container)
    program.wait_until(lambda: state(engine, name) == "being committed")
    assert "new.txt" not in git.files()
    # Who starts meanwhile waits for it, and has what was written.
    assert engine.run("-v", f"{name}:/box", "busybox", "cat", "/box/new.txt") == "slow\n"
    assert git.run("show", "main:new.txt") == b"slow\n"


def test_containers_outlive_a_killed_plugin(engine, plugin, writable, git):
    name = writable()
    one = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(one, "echo before > /box/new.txt")
    plugin.end(signal.SIGKILL)
    engine.execute(one, "echo without >> /box/new.txt; cat /box/weights.bin > /dev/null")
    plugin.start()
    engine.execute(one, "echo after >> /box/new.txt")
    two = engine.start_container("-v", f"{name}:/box", *IDLE)
    assert engine.execute(two, "cat /box/new.txt") == "before\nwithout\nafter\n"
    assert plugin.status(name)["containers"] == 2
    engine.docker("stop", one, two)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:new.txt") == b"before\nwithout\nafter\n"


def test_a_plugin_that_ends_in_order_is_replaced(engine, plugin, volume, repo):
    name = volume(repo=repo)
    container = engine.start_container("-v", f"{name}:/model", *IDLE)
    assert plugin.end(signal.SIGTERM) == 0
    plugin.start()
    assert engine.execute(container, "cat /model/data/a.txt") == "first\n"
    engine.docker("stop", container)
    program.wait_until(lambda: state(engine, name) == "not mounted")


def test_a_dead_mount_is_the_running_containers_until_it_restarts(engine, plugin, writable, git):
    name = writable()
    old = engine.start_container("-v", f"{name}:/box", *IDLE)
    engine.execute(old, "echo acknowledged > /box/new.txt; sync")
    os.kill(plugin.hubfs.status(plugin.mount_root / name)["pid"], signal.SIGKILL)
    shown = engine.docker("exec", old, "cat", "/box/new.txt", check=False)
    assert "not connected" in shown.stderr
    assert engine.run("-v", f"{name}:/box", "busybox", "cat", "/box/new.txt") == "acknowledged\n"
    engine.docker("restart", "--time", 2, old)
    assert engine.execute(old, "cat /box/new.txt") == "acknowledged\n"
    engine.docker("stop", old)
    program.wait_until(lambda: state(engine, name) == "not mounted")
    assert git.run("show", "main:new.txt") == b"acknowledged\n"


def test_docker_copies_out_of_a_volume(engine, plugin, volume, repo, tmp_path):
    name = volume(repo=repo)
    container = engine.start_container("-v", f"{name}:/model", *IDLE)
    engine.docker("cp", f"{container}:/model/data/a.txt", tmp_path / "copied")
    assert (tmp_path / "copied").read_bytes() == FILES["data/a.txt"]
    assert plugin.status(name)["containers"] == 1
    assert engine.execute(container, "cat /model/data/a.txt") == "first\n"
