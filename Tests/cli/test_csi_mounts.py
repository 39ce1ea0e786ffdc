"""`hubfs serve csi`: what becomes of volumes and of their mounts: edits, tokens, daemons that hang or die, and a driver that
is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess

import program
import pytest
from conftest import FILES
from csi_driver import layers
from grpc import StatusCode

SAMPLE = {"sourceId": "lab/sample"}


# Edits.


def test_unpublish_answers_when_the_edits_are_at_the_hub(driver, writable, git):
    driver.start()
    one, two = (driver.publish("vol", pod, **writable) for pod in ["one", "two"])
    (one / "new.txt").write_text("from a pod\n")
    assert (two / "new.txt").read_text() == "from a pod\n"
    driver.unpublish("vol", "one")
    assert "new.txt" not in git.files()
    driver.unpublish("vol", "two")
    assert git.run("show", "main:new.txt") == b"from a pod\n"
    assert driver.records() == {} and driver.tokens() == {}


def test_a_commit_that_takes_long_goes_on_and_the_next_call_waits_for_it(
    driver, hub, writable, git
):
    driver.start("--unmount-timeout", 1)
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("slowly\n")
    before = len(git.log())
    hub.add_fault("--delay", "4s", "--to", "commit", "--count", 1)
    fields = {"volume_id": "vol", "target_path": str(path)}
    words = driver.refused(StatusCode.DEADLINE_EXCEEDED, "NodeUnpublishVolume", **fields)
    assert "goes on" in words
    assert not path.exists()
    program.wait_until(lambda: driver.is_done("NodeUnpublishVolume", **fields))
    assert git.run("show", "main:new.txt") == b"slowly\n"
    assert len(git.log()) == before + 1
    assert driver.records() == {}


def test_edits_that_cannot_be_sent_are_tried_again(driver, hub, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("at last\n")
    hub.add_fault("--status", 503, "--to", "preupload")
    hub.add_fault("--status", 503, "--to", "commit")
    fields = {"volume_id": "vol", "target_path": str(path)}
    driver.refused(StatusCode.UNAVAILABLE, "NodeUnpublishVolume", **fields)
    driver.refused(StatusCode.UNAVAILABLE, "NodeUnpublishVolume", **fields)
    assert "new.txt" not in git.files()
    hub.clear_faults()
    driver.unpublish("vol", "pod")
    assert git.run("show", "main:new.txt") == b"at last\n"
    assert driver.records() == {} and driver.tokens() == {}


def test_edits_that_the_hub_refuses_are_kept_and_told_once(driver, hub, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("kept\n")
    hub.add_fault("--status", 403, "--to", "preupload")
    hub.add_fault("--status", 403, "--to", "commit")
    fields = {"volume_id": "vol", "target_path": str(path)}
    words = driver.refused(StatusCode.FAILED_PRECONDITION, "NodeUnpublishVolume", **fields)
    assert "kept" in words
    # Or the pod would never go away.
    driver.unpublish("vol", "pod")
    assert driver.records() == {}
    hub.clear_faults()
    path = driver.publish("vol", "pod", **writable)
    assert (path / "new.txt").read_text() == "kept\n"
    driver.unpublish("vol", "pod")
    assert git.run("show", "main:new.txt") == b"kept\n"


def test_edits_of_a_daemon_that_died_are_committed(driver, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("survives\n")
    os.kill(driver.daemon("vol"), signal.SIGKILL)
    driver.unpublish("vol", "pod")
    assert git.run("show", "main:new.txt") == b"survives\n"
    assert not path.exists()


# Tokens.


def test_the_token_is_in_no_command_line_record_or_log(driver, writable, write_token):
    driver.start("--log-level", "trace")
    driver.publish("vol", "pod", **writable)
    assert not any(write_token in word for word in program.command_line(driver.daemon("vol")))
    assert driver.tokens() == {"vol": write_token}
    [file] = (driver.state / "tokens").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in [driver.log, *(driver.state / "volumes").iterdir()]:
        assert write_token not in path.read_text()
    driver.unpublish("vol", "pod")
    assert driver.tokens() == {}


def test_the_login_of_the_machine_is_not_the_pods(driver, token):
    driver.start(HF_TOKEN=token)
    home = driver.hubfs.folder / "hf-home"
    home.mkdir()
    (home / "token").write_text(token)
    fields = driver.publication("vol", "pod", attributes={"sourceId": "lab/secret"})
    driver.refused(StatusCode.NOT_FOUND, "NodePublishVolume", **fields)
    secrets = {"key": token}
    attributes = {"sourceId": "lab/secret", "tokenKey": "key"}
    path = driver.publish("vol", "pod", attributes=attributes, secrets=secrets)
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_a_republish_with_another_token_renews_that_of_the_mount(driver, hub, repo, git):
    driver.start()
    first, second = (hub.create_token(name, "write") for name in ["first", "second"])
    volume = {"attributes": {"sourceId": repo, "readOnly": "false"}}
    path = driver.publish("vol", "pod", secrets={"token": first}, **volume)
    pid = driver.daemon("vol")
    (path / "new.txt").write_text("by the second token\n")
    hub.delete_token("first")
    driver.publish("vol", "pod", secrets={"token": second}, **volume)
    assert driver.tokens() == {"vol": second}
    assert driver.daemon("vol") == pid and len(layers(path)) == 1
    driver.unpublish("vol", "pod")
    assert git.run("show", "main:new.txt") == b"by the second token\n"


def test_a_token_that_was_revoked_is_what_the_commit_fails_by(driver, hub, repo, git):
    """The counterpart of the test above: the token matters."""
    driver.start()
    first = hub.create_token("gone", "write")
    volume = {"attributes": {"sourceId": repo, "readOnly": "false"}, "secrets": {"token": first}}
    path = driver.publish("vol", "pod", **volume)
    (path / "new.txt").write_text("never\n")
    hub.delete_token("gone")
    fields = {"volume_id": "vol", "target_path": str(path)}
    driver.refused(StatusCode.FAILED_PRECONDITION, "NodeUnpublishVolume", **fields)
    assert "new.txt" not in git.files()


# Health.


def test_stats(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    answer = driver.stats("vol", path)
    assert not answer.volume_condition.abnormal and answer.volume_condition.message
    units = {usage.unit: usage for usage in answer.usage}
    size = sum(len(data) for data in FILES.values())
    assert units[1].total >= size and units[1].used >= size
    assert units[2].total > 0
    assert all(min(usage.available, usage.used) >= 0 for usage in answer.usage)


def test_a_daemon_that_hangs_is_noticed(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    other = driver.publish("other", "pod-2", attributes=SAMPLE)
    pid = driver.daemon("vol")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "'vol'" in driver.refused(StatusCode.FAILED_PRECONDITION, "Probe")
        condition = driver.stats("vol", path).volume_condition
        assert condition.abnormal and "answer" in condition.message
        assert not driver.stats("other", other).volume_condition.abnormal
        # A pod has it: nothing is cut off, and kubelet asks again.
        fields = driver.publication("vol", "pod", attributes=SAMPLE)
        driver.refused(StatusCode.UNAVAILABLE, "NodePublishVolume", **fields)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert driver.call("Probe").ready.value
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_a_volume_that_hangs_can_be_unpublished(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    pid = driver.daemon("vol")
    os.kill(pid, signal.SIGSTOP)
    try:
        program.wait_until(
            lambda: driver.is_done("NodeUnpublishVolume", volume_id="vol", target_path=str(path)),
            100,
        )
        assert not path.exists()
        assert not program.is_mounted(driver.mount_root / "vol")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_dead_daemon_is_noticed_and_replaced_by_the_next_publish(driver, writable):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("acknowledged\n")
    os.kill(driver.daemon("vol"), signal.SIGKILL)
    assert "'vol'" in driver.refused(StatusCode.FAILED_PRECONDITION, "Probe")
    assert driver.stats("vol", path).volume_condition.abnormal
    driver.publish("vol", "pod", **writable)
    assert driver.call("Probe").ready.value
    assert (path / "new.txt").read_text() == "acknowledged\n"
    driver.unpublish("vol", "pod")
    assert not path.exists()


def test_pods_get_the_mount_that_replaces_a_dead_one(driver):
    """With `mountPropagation: HostToContainer`, which makes the copy in the container a slave of ours."""
    driver.start()
    subprocess.run(["mount", "-t", "tmpfs", "pods", driver.pods], check=True)
    try:
        subprocess.run(["mount", "--make-shared", driver.pods], check=True)
        path = driver.publish("vol", "pod", attributes=SAMPLE)
        data = driver.hubfs.folder / "data"
        data.mkdir()
        script = (
            f"mount --rbind {path} {data} && cd / && echo began && read word"
            f" && cat {data}/config.json && read word"
        )
        pod = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert pod.stdout.readline() == b"began\n"
            os.kill(driver.daemon("vol"), signal.SIGKILL)
            driver.publish("vol", "pod", attributes=SAMPLE)
            assert len(layers(path)) == 2
            pod.stdin.write(b"\n")
            pod.stdin.flush()
            assert pod.stdout.readline() == FILES["config.json"]
        finally:
            pod.kill()
            pod.wait(timeout=30)
        driver.unpublish("vol", "pod")
        assert layers(path) == [] and not path.exists()
    finally:
        subprocess.run(["umount", "--lazy", driver.pods], check=True)


# The driver's own life.


def test_a_killed_driver_leaves_mounts_and_its_successor_finds_them(driver, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    pid = driver.daemon("vol")
    with (path / "new.txt").open("w") as file:
        file.write("before, ")
        driver.end(signal.SIGKILL)
        file.write("during, ")
        file.flush()
        driver.start()
        file.write("after\n")
    assert driver.publish("vol", "pod", **writable) == path
    assert len(layers(path)) == 1 and driver.daemon("vol") == pid
    driver.unpublish("vol", "pod")
    assert git.run("show", "main:new.txt") == b"before, during, after\n"


def test_mounts_that_died_with_the_driver_are_made_again_at_its_start(driver, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    other = driver.publish("other", "pod-2", attributes=SAMPLE, readonly=True)
    (path / "new.txt").write_text("acknowledged\n")
    for volume in ["vol", "other"]:
        os.kill(driver.daemon(volume), signal.SIGKILL)
    driver.end(signal.SIGKILL)
    # As in a new container, which has not the mounts of the old one.
    subprocess.run(["umount", "--lazy", driver.mount_root / "vol"], check=True)
    driver.start()
    assert driver.call("Probe").ready.value
    assert (path / "new.txt").read_text() == "acknowledged\n"
    assert (other / "config.json").read_bytes() == FILES["config.json"]
    assert layers(other)[-1].split(",")[0] == "ro"
    driver.unpublish("vol", "pod")
    driver.unpublish("other", "pod-2")
    assert git.run("show", "main:new.txt") == b"acknowledged\n"
    assert driver.records() == {}


def test_a_driver_that_was_killed_in_an_unpublish(driver, hub, writable, git):
    driver.start()
    path = driver.publish("vol", "pod", **writable)
    (path / "new.txt").write_text("in the end\n")
    before = len(git.log())
    hub.add_fault("--delay", "3s", "--to", "commit", "--count", 1)
    request = driver.messages.NodeUnpublishVolumeRequest(volume_id="vol", target_path=str(path))
    answer = driver.node.NodeUnpublishVolume.future(request)
    program.wait_until(lambda: hub.asked().get("commit", 0) > 0)
    driver.end(signal.SIGKILL)
    assert answer.exception() is not None
    driver.start()
    program.wait_until(
        lambda: driver.is_done("NodeUnpublishVolume", volume_id="vol", target_path=str(path))
    )
    assert git.run("show", "main:new.txt") == b"in the end\n"
    assert len(git.log()) == before + 1
    assert driver.records() == {}


def test_publications_of_another_run_of_the_machine_are_dropped(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    driver.end(signal.SIGKILL)
    record = driver.state / "volumes/vol.json"
    record.write_text(re.sub('"boot" : "[^"]*"', '"boot" : "another"', record.read_text()))
    driver.start()
    program.wait_until(lambda: not program.is_mounted(driver.mount_root / "vol"))
    driver.refused(
        StatusCode.NOT_FOUND, "NodeGetVolumeStats", volume_id="vol", volume_path=str(path)
    )
    driver.unpublish("vol", "pod")
    assert driver.records() == {} and layers(path) == []


def test_sigterm_ends_the_driver_and_no_mount(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    assert driver.end(signal.SIGTERM) == 0
    assert not driver.socket.exists()
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_the_socket_is_its_users_alone_and_taken_once(driver, tmp_path):
    driver.start()
    assert stat.S_IMODE(driver.socket.stat().st_mode) == 0o600
    other = driver.command()
    other[other.index("--state") + 1] = str(tmp_path / "other-state")
    done = driver.hubfs.run_as(other)
    assert done.returncode == program.LOCAL_STORAGE and "serves" in done.stderr
    assert driver.call("Probe").ready.value


def test_a_socket_that_nobody_serves_is_replaced(driver):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(driver.socket))
    driver.start()
    assert driver.call("Probe").ready.value


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_container_that_ends_takes_the_mounts_with_it_and_the_next_one_makes_them_again(
    driver, writable, git, number
):
    """The driver as process 1, with mounts of its own that reach the host only below the pods' folder."""
    subprocess.run(["mount", "-t", "tmpfs", "pods", driver.pods], check=True)
    try:
        subprocess.run(["mount", "--make-shared", driver.pods], check=True)
        driver.start("--shutdown-timeout", 30, container=True)
        path = driver.publish("vol", "pod", **writable)
        (path / "new.txt").write_text("acknowledged\n")
        assert not program.is_mounted(driver.mount_root / "vol")
        driver.end(number)
        assert ("new.txt" in git.files()) == (number == signal.SIGTERM)
        with pytest.raises(OSError, match="not connected"):
            os.stat(path)
        driver.start("--shutdown-timeout", 30, container=True)
        assert (path / "new.txt").read_text() == "acknowledged\n"
        assert len(layers(path)) == 2
        driver.unpublish("vol", "pod")
        assert git.run("show", "main:new.txt") == b"acknowledged\n"
        assert driver.records() == {} and not path.exists()
        driver.end()
    finally:
        subprocess.run(["umount", "--lazy", driver.pods], check=True)
