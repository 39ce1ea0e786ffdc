"""`hubfs serve docker`: the volume plugin protocol, and what it does to mounts. Docker itself is in
Tests/containers."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import program
import pytest
from conftest import FILES
from volume_plugin import Refused, UnixConnection, VolumePlugin


@pytest.fixture
def plugin(hubfs):
    plugin = VolumePlugin(hubfs)
    yield plugin
    plugin.tear_down()


@pytest.fixture
def token_file(hubfs, write_token):
    path = hubfs.folder / "token"
    path.write_text(write_token + "\n")
    return path


def mount_count(path) -> int:
    """How many mounts of ours are at a path, one over the other."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sum(line.split()[4] == str(path) and "fuse.hubfs" in line for line in lines)


# The protocol.


def test_it_says_what_it_is(plugin):
    plugin.start()
    assert plugin.request("/Plugin.Activate") == (200, {"Implements": ["VolumeDriver"]})
    assert plugin.call("Capabilities") == {"Capabilities": {"Scope": "local"}}
    assert plugin.call("List") == {"Volumes": []}


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/VolumeDriver.Destroy", "POST", b"{}", 404),
        ("/", "POST", b"", 404),
        ("/VolumeDriver.List", "GET", b"", 405),
        ("/VolumeDriver.Get", "POST", b"{", 400),
        ("/VolumeDriver.Get", "POST", b'{"Name": 7}', 400),
        ("/VolumeDriver.Get", "POST", b'{"Name":"' + b"a" * 70_000 + b'"}', 413),
    ],
)
def test_what_is_no_call_is_refused(plugin, path, method, body, status):
    plugin.start()
    code, answer = plugin.request(path, body, method)
    assert code == status
    assert answer["Err"]
    assert plugin.call("List") == {"Volumes": []}


def test_calls_follow_each_other_on_one_connection(plugin):
    plugin.start()
    connection = UnixConnection(plugin.socket)
    for path in ["/Plugin.Activate", "/VolumeDriver.Unknown", "/VolumeDriver.List"] * 3:
        connection.request("POST", path, b"null")
        assert connection.getresponse().read()
    connection.close()


def test_a_volume_from_create_to_remove(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    volume = plugin.call("Get", Name="vol")["Volume"]
    assert volume["Name"] == "vol" and volume["Mountpoint"] == str(path)
    assert volume["Status"] == {
        "source": "hf://models/lab/sample",
        "writable": False,
        "state": "not mounted",
        "containers": 0,
    }
    assert [each["Name"] for each in plugin.call("List")["Volumes"]] == ["vol"]
    assert plugin.call("Path", Name="vol") == {"Mountpoint": str(path)}
    plugin.call("Remove", Name="vol")
    assert plugin.call("List") == {"Volumes": []}
    for call in ["Get", "Path", "Remove"]:
        with pytest.raises(Refused, match="no volume 'vol' is known"):
            plugin.call(call, Name="vol")
    with pytest.raises(Refused, match="no volume 'vol' is known"):
        plugin.mount("vol", "c1")


def test_the_same_volume_twice(plugin):
    plugin.start()
    plugin.create("vol", repo="lab/sample")
    plugin.create("vol", repo="lab/sample")
    # A command line that only names a volume.
    plugin.create("vol")
    with pytest.raises(Refused, match="exists with other options"):
        plugin.create("vol", repo="lab/sample", rw="true")
    assert len(plugin.call("List")["Volumes"]) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "needs the option uri"),
        ({"repo": "lab/sample", "size": "1"}, "unknown option 'size'"),
        ({"repo": "lab/sample", "token": "hf_x"}, "unknown option 'token'"),
        ({"repo": "lab/sample", "uid": "somebody"}, "'somebody' is invalid"),
        ({"repo": "lab/sample", "cache_size": "much"}, "'much' is invalid"),
        ({"repo": "lab/sample", "rw": "true", "commit": "never"}, "'never' is invalid"),
        ({"repo": "lab/sample", "commit": "manual"}, "goes with rw=true"),
        ({"repo": "lab/sample", "token_file": "/nowhere"}, "cannot be read"),
        ({"repo": "lab/sample", "subpath": "../x"}, "is a folder of the repo"),
        ({"repo": "lab/sample", "subpath": "absent"}, "absent"),
        ({"repo": "lab/sample", "revision": "absent"}, "absent"),
        ({"repo": "lab/absent"}, "knows no such repo"),
        ({"repo": "lab/secret"}, "knows no such repo"),
        ({"uri": "ftp://lab/sample"}, "neither hf://"),
    ],
)
def test_bad_options_are_refused_at_create(plugin, options, sentence):
    plugin.start()
    with pytest.raises(Refused, match=sentence):
        plugin.create("vol", **options)
    assert plugin.call("List") == {"Volumes": []}


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "x" * 300])
def test_names_lead_nowhere_else(plugin, name):
    plugin.start()
    with pytest.raises(Refused, match="is no name for a volume"):
        plugin.call("Create", Name=name, Opts={"repo": "lab/sample"})


def test_a_hub_that_is_away_is_no_reason_against_a_volume(plugin, hub):
    plugin.start()
    hub.add_fault("--status", 503, "--class", "api")
    plugin.create("vol", repo="lab/sample", read_timeout="1")
    hub.clear_faults()
    assert (plugin.mount("vol", "c1") / "config.json").read_bytes() == FILES["config.json"]


# Mounts.


def test_containers_share_a_mount_and_the_last_one_ends_it(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample", subpath="onnx", uid="1000", gid="1001")
    assert plugin.mount("vol", "c1") == path
    assert (path / "notes.txt").read_bytes() == FILES["onnx/notes.txt"]
    status = (path / "notes.txt").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1001)
    assert plugin.mount("vol", "c2") == path
    # Docker copies out of a container that runs: the same id once more.
    assert plugin.mount("vol", "c2") == path
    assert mount_count(path) == 1
    assert plugin.status("vol")["containers"] == 2
    plugin.unmount("vol", "c2")
    plugin.unmount("vol", "c1")
    assert plugin.status("vol")["containers"] == 1
    assert mount_count(path) == 1
    plugin.unmount("vol", "unknown")
    assert mount_count(path) == 1
    plugin.unmount("vol", "c2")
    assert mount_count(path) == 0
    assert plugin.status("vol")["state"] == "not mounted"
    # An end that is told twice.
    plugin.unmount("vol", "c2")


def test_many_at_once_are_one_mount(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    containers = [f"c{number}" for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        assert set(threads.map(lambda id: plugin.mount("vol", id), containers)) == {path}
        assert mount_count(path) == 1
        list(threads.map(lambda id: plugin.unmount("vol", id), containers))
    assert mount_count(path) == 0


def test_the_last_unmount_answers_when_the_edits_are_at_the_hub(plugin, token_file, repo, git):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "c1")
    plugin.mount("vol", "c2")
    (path / "new.txt").write_text("from a container\n")
    plugin.unmount("vol", "c1")
    assert "new.txt" not in git.files()
    plugin.unmount("vol", "c2")
    assert git.run("show", "main:new.txt") == b"from a container\n"
    assert plugin.status("vol")["lastEnd"]["code"] == 0


def test_what_takes_longer_goes_on_and_is_shown(plugin, hub, token_file, repo, git):
    plugin.start("--unmount-timeout", 1)
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    other = plugin.create("other", repo="lab/sample")
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("slowly\n")
    hub.add_fault("--delay", "5s", "--to", "commit", "--count", 1)
    plugin.unmount("vol", "c1")
    assert plugin.status("vol")["state"] == "being committed"
    states = {v["Name"]: v["Status"]["state"] for v in plugin.call("List")["Volumes"]}
    assert states == {"vol": "being committed", "other": "not mounted"}
    # Another volume does not wait for it, and the next container that wants this one does.
    assert plugin.mount("other", "c2") == other
    assert plugin.status("vol")["state"] == "being committed"
    assert (plugin.mount("vol", "c3") / "new.txt").read_text() == "slowly\n"
    assert git.run("show", "main:new.txt") == b"slowly\n"


def test_a_mount_that_takes_too_long_is_not_counted_and_ends(plugin, hub):
    plugin.start("--mount-timeout", 1)
    path = plugin.create("vol", repo="lab/sample")
    hub.add_fault("--delay", "3s", "--class", "api", "--count", 1)
    with pytest.raises(Refused, match="still being mounted"):
        plugin.mount("vol", "c1")
    program.wait_until(lambda: "lastEnd" in plugin.status("vol"))
    assert plugin.status("vol")["containers"] == 0
    assert mount_count(path) == 0


def test_edits_that_cannot_be_sent_are_kept_and_told(plugin, hub, token_file, repo, git):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="1", token_file=str(token_file))
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("kept\n")
    hub.add_fault("--status", 403, "--to", "preupload")
    hub.add_fault("--status", 403, "--to", "commit")
    with pytest.raises(Refused, match="kept"):
        plugin.unmount("vol", "c1")
    assert mount_count(path) == 0
    assert plugin.status("vol")["containers"] == 0
    assert plugin.status("vol")["lastEnd"]["code"] == program.REFUSED
    hub.clear_faults()
    assert (plugin.mount("vol", "c2") / "new.txt").read_text() == "kept\n"
    plugin.unmount("vol", "c2")
    assert git.run("show", "main:new.txt") == b"kept\n"


def test_two_volumes_of_a_branch_have_edits_of_their_own(plugin, token_file, repo, git):
    plugin.start()
    options = {"repo": repo, "rw": "true", "token_file": str(token_file)}
    one, two = plugin.create("one", **options), plugin.create("two", **options)
    plugin.mount("one", "c1")
    plugin.mount("two", "c2")
    (one / "one.txt").write_text("1")
    (two / "two.txt").write_text("2")
    assert not (two / "one.txt").exists()
    plugin.unmount("one", "c1")
    plugin.unmount("two", "c2")
    assert {"one.txt", "two.txt"} <= git.files()


def test_a_manual_volume_is_not_committed(plugin, token_file, repo, git):
    plugin.start()
    options = {"repo": repo, "rw": "true", "token_file": str(token_file), "commit": "manual"}
    path = plugin.create("vol", **options)
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("mine")
    plugin.unmount("vol", "c1")
    assert "new.txt" not in git.files()
    assert (plugin.mount("vol", "c2") / "new.txt").read_text() == "mine"


def test_a_dead_mount_is_replaced_for_the_next_container(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    plugin.mount("vol", "c1")
    os.kill(plugin.hubfs.status(path)["pid"], signal.SIGKILL)
    plugin.mount("vol", "c2")
    assert mount_count(path) == 1
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    plugin.unmount("vol", "c1")
    plugin.unmount("vol", "c2")
    assert mount_count(path) == 0


def test_edits_of_a_mount_that_died_are_committed_by_the_last_unmount(
    plugin, token_file, repo, git
):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("survives\n")
    os.kill(plugin.hubfs.status(path)["pid"], signal.SIGKILL)
    plugin.unmount("vol", "c1")
    assert git.run("show", "main:new.txt") == b"survives\n"
    assert mount_count(path) == 0


def test_the_token_is_in_no_command_line(plugin, token_file, write_token, repo):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "c1")
    words = program.command_line(plugin.hubfs.status(path)["pid"])
    assert f"--token-file={token_file}" in words
    assert not any(write_token in word for word in words)
    assert write_token not in json.dumps(plugin.call("Get", Name="vol"))


def test_something_else_at_the_place_is_left_alone(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    path.mkdir(parents=True)
    subprocess.run(["mount", "--bind", "/usr/share", path], check=True)
    try:
        with pytest.raises(Refused, match="something else is mounted"):
            plugin.mount("vol", "c1")
        assert os.listdir(path) == os.listdir("/usr/share")
    finally:
        subprocess.run(["umount", path], check=True)
    assert (plugin.mount("vol", "c2") / "config.json").exists()


def test_remove_ends_what_is_counted_by_mistake(plugin, token_file, repo, git):
    """Docker asks only when no container has the volume."""
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "gone")
    (path / "new.txt").write_text("last words\n")
    plugin.call("Remove", Name="vol")
    assert mount_count(path) == 0 and not path.exists()
    assert git.run("show", "main:new.txt") == b"last words\n"


def test_a_removal_that_takes_long_goes_on(plugin, hub, token_file, repo, git):
    plugin.start("--unmount-timeout", 1)
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "gone")
    (path / "new.txt").write_text("at last\n")
    hub.add_fault("--delay", "3s", "--to", "commit", "--count", 1)
    with pytest.raises(Refused, match="which goes on"):
        plugin.call("Remove", Name="vol")
    program.wait_until(lambda: plugin.call("List") == {"Volumes": []})
    assert git.run("show", "main:new.txt") == b"at last\n"
    plugin.create("vol", repo="lab/sample")
    assert (plugin.mount("vol", "c1") / "config.json").read_bytes() == FILES["config.json"]


def test_unsent_edits_outlive_their_volume(plugin, hub, token_file, repo, git):
    plugin.start()
    options = {"repo": repo, "rw": "true", "token_file": str(token_file)}
    path = plugin.create("vol", **options)
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("still here\n")
    hub.add_fault("--status", 403, "--to", "preupload")
    hub.add_fault("--status", 403, "--to", "commit")
    with pytest.raises(Refused, match="kept"):
        plugin.unmount("vol", "c1")
    plugin.call("Remove", Name="vol")
    hub.clear_faults()
    plugin.create("vol", **options)
    assert (plugin.mount("vol", "c2") / "new.txt").read_text() == "still here\n"
    plugin.unmount("vol", "c2")
    assert git.run("show", "main:new.txt") == b"still here\n"


def test_a_daemon_that_hangs_is_cut_off_for_the_next_container_alone(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    plugin.mount("vol", "c1")
    pid = plugin.hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Refused, match="does not answer"):
            plugin.mount("vol", "c2")
        assert plugin.status("vol")["containers"] == 1
        with pytest.raises(Refused, match="has not ended"):
            plugin.unmount("vol", "c1")
        assert mount_count(path) == 0
        plugin.mount("vol", "c3")
        assert (path / "config.json").read_bytes() == FILES["config.json"]
    finally:
        os.kill(pid, signal.SIGCONT)


# The plugin's own life.


def test_a_killed_plugin_leaves_mounts_and_its_successor_finds_them(plugin, token_file, repo, git):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "c1")
    pid = plugin.hubfs.status(path)["pid"]
    with (path / "new.txt").open("w") as file:
        file.write("before, ")
        plugin.end(signal.SIGKILL)
        file.write("during, ")
        file.flush()
        plugin.start()
        file.write("after\n")
    assert plugin.status("vol")["state"] == "mounted"
    assert plugin.status("vol")["containers"] == 1
    plugin.mount("vol", "c2")
    assert mount_count(path) == 1 and plugin.hubfs.status(path)["pid"] == pid
    plugin.unmount("vol", "c1")
    assert mount_count(path) == 1
    plugin.unmount("vol", "c2")
    assert mount_count(path) == 0
    assert git.run("show", "main:new.txt") == b"before, during, after\n"


def test_mounts_that_died_with_the_plugin_are_made_again(plugin, token_file, repo, git):
    plugin.start()
    path = plugin.create("vol", repo=repo, rw="true", token_file=str(token_file))
    plugin.mount("vol", "c1")
    (path / "new.txt").write_text("acknowledged\n")
    os.kill(plugin.hubfs.status(path)["pid"], signal.SIGKILL)
    plugin.end(signal.SIGKILL)
    plugin.start()
    assert mount_count(path) == 0
    assert plugin.status("vol")["state"] == "not mounted"
    assert (plugin.mount("vol", "c2") / "new.txt").read_text() == "acknowledged\n"
    plugin.unmount("vol", "c1")
    plugin.unmount("vol", "c2")
    assert git.run("show", "main:new.txt") == b"acknowledged\n"


def test_a_mount_that_nobody_has_is_ended_at_the_next_start(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    plugin.end()
    path.mkdir()
    plugin.hubfs.succeed("mount", "--allow-other", "lab/sample", path)
    plugin.start()
    program.wait_until(lambda: mount_count(path) == 0)
    program.wait_until(lambda: plugin.status("vol")["state"] == "not mounted")


def test_counts_of_another_run_of_the_machine_are_dropped(plugin):
    plugin.start()
    plugin.create("vol", repo="lab/sample")
    plugin.mount("vol", "c1")
    plugin.end(signal.SIGKILL)
    record = plugin.state / "volumes/vol.json"
    known = json.loads(record.read_text())
    assert known["mounts"] == {"c1": 1}
    record.write_text(json.dumps({**known, "boot": "another"}))
    plugin.start()
    program.wait_until(lambda: plugin.status("vol")["state"] == "not mounted")
    assert plugin.status("vol")["containers"] == 0


def test_sigterm_ends_the_plugin_and_no_mount(plugin):
    plugin.start()
    path = plugin.create("vol", repo="lab/sample")
    plugin.mount("vol", "c1")
    assert plugin.end(signal.SIGTERM) == 0
    assert not plugin.socket.exists()
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_the_socket_is_its_users_alone(plugin):
    plugin.start()
    assert stat.S_IMODE(plugin.socket.stat().st_mode) == 0o600


def test_a_socket_that_is_served_is_not_taken(plugin, tmp_path):
    plugin.start()
    other = plugin.command()
    other[other.index("--state") + 1] = str(tmp_path / "other-state")
    done = plugin.hubfs.run_as(other)
    assert done.returncode == program.LOCAL_STORAGE
    assert "another plugin serves" in done.stderr
    assert plugin.call("List") == {"Volumes": []}


def test_a_socket_that_nobody_serves_is_replaced(plugin):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(plugin.socket))
    plugin.start()
    assert plugin.call("List") == {"Volumes": []}


def test_what_is_no_socket_is_not_replaced(plugin):
    plugin.socket.write_text("mine")
    done = plugin.hubfs.run_as(plugin.command())
    assert done.returncode == program.LOCAL_STORAGE
    assert "no socket" in done.stderr
    assert plugin.socket.read_text() == "mine"


def test_two_plugins_do_not_share_a_state(plugin):
    plugin.start()
    other = plugin.command()
    other[other.index("--socket") + 1] = str(plugin.socket) + "2"
    done = plugin.hubfs.run_as(other)
    assert done.returncode == program.LOCAL_STORAGE
    assert "another plugin works with" in done.stderr


def test_calls_that_wait_do_not_keep_the_plugin_from_ending(plugin, hub):
    plugin.start()
    plugin.create("vol", repo="lab/sample")
    hub.add_fault("--delay", "20s", "--class", "api")
    caller = threading.Thread(target=lambda: _ignore(lambda: plugin.mount("vol", "c1")))
    caller.start()
    program.wait_until(lambda: plugin.status("vol")["state"] == "being mounted")
    assert plugin.end(signal.SIGTERM) == 0
    caller.join(timeout=30)
    assert not caller.is_alive()


def _ignore(body) -> None:
    try:
        body()
    except Exception:  # noqa: BLE001: the connection is cut in the middle, however that shows.
        pass
