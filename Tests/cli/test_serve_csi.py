"""`hubfs serve csi`: CSI's Identity and Node services over their socket.

This walks csi-sanity's cases for the two services (kubernetes-csi/csi-test, pkg/sanity), which cannot run itself here: it
needs a Controller service to make volumes, and Go. What becomes of mounts is in test_csi_mounts.py.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess

import csi_driver
import grpc
import program
import pytest
from conftest import FILES
from csi_driver import layers
from grpc import StatusCode

SAMPLE = {"sourceId": "lab/sample"}


# Identity.


def test_it_says_who_it_is(driver):
    driver.start()
    info = driver.call("GetPluginInfo")
    assert info.name == "csi.hubfs"
    assert re.fullmatch(r"[a-zA-Z][A-Za-z0-9-._]{0,61}[a-zA-Z]", info.name)
    assert info.vendor_version == program_version(driver)
    assert driver.call("GetPluginCapabilities") == driver.messages.GetPluginCapabilitiesResponse()
    assert driver.call("Probe").ready.value


def program_version(driver) -> str:
    return driver.hubfs.succeed("--version").split()[-1]


def test_it_takes_another_name(driver):
    driver.start("--driver-name", "hf.csi.huggingface.co")
    assert driver.call("GetPluginInfo").name == "hf.csi.huggingface.co"


def test_what_the_node_can(driver):
    driver.start()
    names = driver.messages.NodeServiceCapability.RPC.Type
    types = {each.rpc.type for each in driver.call("NodeGetCapabilities").capabilities}
    assert {names.Name(type) for type in types} == {
        "GET_VOLUME_STATS",
        "VOLUME_CONDITION",
        "SINGLE_NODE_MULTI_WRITER",
        "VOLUME_MOUNT_GROUP",
    }
    node = driver.call("NodeGetInfo")
    assert node.node_id == "node-1" and node.max_volumes_per_node > 0


@pytest.mark.parametrize(
    "method",
    [
        "Node/NodeStageVolume",
        "Node/NodeUnstageVolume",
        "Node/NodeExpandVolume",
        "Controller/CreateVolume",
    ],
)
def test_what_the_driver_has_not(driver, method):
    driver.start()
    call = driver.channel.unary_unary(f"/csi.v1.{method}")
    with pytest.raises(grpc.RpcError) as error:
        call(b"", timeout=10)
    assert error.value.code() == StatusCode.UNIMPLEMENTED


# Arguments.


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("volume_id", "volume_id"),
        ("target_path", "target_path"),
        ("volume_capability", "volume_capability"),
    ],
)
def test_publish_needs(driver, missing, sentence):
    driver.start()
    fields = driver.publication("vol", "pod", attributes=SAMPLE)
    del fields[missing]
    assert sentence in driver.refused(StatusCode.INVALID_ARGUMENT, "NodePublishVolume", **fields)
    assert not driver.target("pod").exists()


def test_capabilities_that_are_refused(driver):
    driver.start()
    capability = driver.messages.VolumeCapability
    mode = capability.AccessMode(mode=csi_driver.MODES["one node"])
    mount = capability.MountVolume()
    for wrong, sentence in [
        (capability(block=capability.BlockVolume(), access_mode=mode), "block devices"),
        (capability(access_mode=mode), "block devices"),
        (capability(mount=mount), "access mode"),
        (capability(mount=mount, access_mode=capability.AccessMode(mode=77)), "access mode"),
        (driver.capability(group="wheel"), "'wheel'"),
    ]:
        fields = driver.publication("vol", "pod", attributes=SAMPLE)
        fields["volume_capability"] = wrong
        words = driver.refused(StatusCode.INVALID_ARGUMENT, "NodePublishVolume", **fields)
        assert sentence in words


@pytest.mark.parametrize("path", ["some/path", "/", "/pods/../etc"])
def test_target_paths_that_are_refused(driver, path):
    driver.start()
    fields = driver.publication("vol", "pod", attributes=SAMPLE)
    fields["target_path"] = path
    driver.refused(StatusCode.INVALID_ARGUMENT, "NodePublishVolume", **fields)
    driver.refused(
        StatusCode.INVALID_ARGUMENT, "NodeUnpublishVolume", volume_id="vol", target_path=path
    )


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"sourceId": ""}, "needs the attribute sourceId"),
        ({"sourceType": "", **SAMPLE}, "needs the attribute sourceType"),
        ({"sourceType": "bucket", "sourceId": "lab/b", "revision": "v1"}, "a bucket has none"),
        ({"sourceType": "bucket", "sourceId": "lab/b@v1"}, "no revisions"),
        ({"sourceType": "repos", **SAMPLE}, "not 'repos'"),
        ({"sourceType": "model", "sourceId": "datasets/lab/sample"}, "names a dataset"),
        ({"sourceId": "lab/sam ple"}, "sourceId"),
        ({"sourceId": "ftp://lab/sample"}, "neither hf://"),
        ({**SAMPLE, "sourceID": "x"}, "did you mean 'sourceId'"),
        ({**SAMPLE, "tokenkey": "x"}, "did you mean 'tokenKey'"),
        ({**SAMPLE, "zzzzzzzz": "x"}, "volumes have cacheSize, commit"),
        ({**SAMPLE, "volumeMountGroup": "1"}, "unknown attribute"),
        ({**SAMPLE, "cacheDir": "/etc"}, "the volumes of a node share"),
        ({**SAMPLE, "metadataTtlMs": "1"}, "leave it out"),
        ({**SAMPLE, "memoryLimit": "1Gi"}, "leave it out"),
        ({**SAMPLE, "token-file": "/etc/shadow"}, "unknown attribute 'token-file'"),
        ({**SAMPLE, "readOnly": "no"}, "'no'"),
        ({**SAMPLE, "cacheSize": "much"}, "'much'"),
        ({**SAMPLE, "uid": "somebody"}, "'somebody'"),
        ({**SAMPLE, "subpath": "../x"}, "folder of the repo"),
        ({**SAMPLE, "revision": "a", "sourceId": "lab/sample@b"}, "names a revision already"),
        ({**SAMPLE, "commit": "manual"}, "goes with 'readOnly"),
        ({**SAMPLE, "readOnly": "false", "pollIntervalSecs": "30"}, "only when read-only"),
        ({**SAMPLE, "mountFlags": "allow_root"}, "unknown mount option 'allow_root'"),
        ({**SAMPLE, "mountFlags": "umsk=022"}, "did you mean 'umask'"),
        ({**SAMPLE, "mountFlags": "token-file=/x"}, "unknown mount option"),
        ({**SAMPLE, "mountFlags": "cache-dir=/x"}, "unknown mount option"),
        ({**SAMPLE, "mountFlags": "uid"}, "needs a value"),
        ({**SAMPLE, "mountFlags": "ro=1"}, "has no value"),
        ({**SAMPLE, "readOnly": "false", "mountFlags": "ro"}, "exclude each other"),
        ({**SAMPLE, "tokenKey": "other"}, "no key 'other'"),
    ],
)
def test_attributes_that_are_refused(driver, attributes, sentence):
    driver.start()
    fields = driver.publication("vol", "pod", attributes=attributes, secrets={"token": "hf_x"})
    words = driver.refused(StatusCode.INVALID_ARGUMENT, "NodePublishVolume", **fields)
    assert sentence in words and "hf_x" not in words
    assert driver.records() == {}


@pytest.mark.parametrize(
    ("attributes", "secret", "code"),
    [
        ({"sourceId": "lab/absent"}, None, StatusCode.NOT_FOUND),
        ({"sourceId": "lab/secret"}, None, StatusCode.NOT_FOUND),
        ({**SAMPLE, "revision": "absent"}, None, StatusCode.NOT_FOUND),
        ({**SAMPLE, "subpath": "absent"}, None, StatusCode.NOT_FOUND),
        ({**SAMPLE, "readOnly": "false"}, None, StatusCode.UNAUTHENTICATED),
        (SAMPLE, "hf_wrong", StatusCode.PERMISSION_DENIED),
        (SAMPLE, "two words", StatusCode.INVALID_ARGUMENT),
    ],
)
def test_what_the_hub_does_not_give(driver, attributes, secret, code):
    driver.start()
    secrets = {"token": secret} if secret else {}
    fields = driver.publication("vol", "pod", attributes=attributes, secrets=secrets)
    driver.refused(code, "NodePublishVolume", **fields)
    # Nothing is left of it.
    assert driver.records() == {} and driver.tokens() == {}
    assert not driver.target("pod").exists()


def test_a_hub_that_is_away(driver, hub):
    driver.start()
    hub.add_fault("--status", 503, "--class", "api")
    attributes = {**SAMPLE, "readTimeout": "1"}
    fields = driver.publication("vol", "pod", attributes=attributes)
    driver.refused(StatusCode.UNAVAILABLE, "NodePublishVolume", **fields)
    hub.clear_faults()
    path = driver.publish("vol", "pod", attributes=attributes)
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_unpublish_needs(driver):
    driver.start()
    call = "NodeUnpublishVolume"
    driver.refused(StatusCode.INVALID_ARGUMENT, call, target_path="/some/path")
    driver.refused(StatusCode.INVALID_ARGUMENT, call, volume_id="vol")


def test_stats_need(driver):
    driver.start()
    call = "NodeGetVolumeStats"
    driver.refused(StatusCode.INVALID_ARGUMENT, call, volume_path="some/path")
    driver.refused(StatusCode.INVALID_ARGUMENT, call, volume_id="vol")
    driver.refused(StatusCode.NOT_FOUND, call, volume_id="vol", volume_path="some/path")
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    driver.refused(StatusCode.NOT_FOUND, call, volume_id="vol", volume_path="some/path")
    driver.refused(StatusCode.NOT_FOUND, call, volume_id="other", volume_path=str(path))


# A volume's life.


def test_a_volume_from_publish_to_unpublish(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    with pytest.raises(OSError, match="Read-only file system"):
        (path / "new.txt").write_text("no")
    driver.unpublish("vol", "pod")
    assert not path.exists()
    assert not program.is_mounted(driver.mount_root / "vol")
    assert driver.records() == {}


def test_publish_twice_and_unpublish_twice(driver):
    driver.start()
    path = driver.publish("vol", "pod", attributes=SAMPLE)
    assert driver.publish("vol", "pod", attributes=SAMPLE) == path
    assert len(layers(path)) == 1
    driver.unpublish("vol", "pod")
    driver.unpublish("vol", "pod")
    assert not path.exists()


def test_unpublish_of_what_is_not_known(driver):
    driver.start()
    driver.unpublish("vol", "pod")
    # A folder that kubelet made, or that an earlier driver has left.
    driver.target("pod").mkdir()
    driver.unpublish("vol", "pod")
    assert not driver.target("pod").exists()


def test_a_publication_that_is_another(driver):
    driver.start()
    driver.publish("vol", "pod", attributes=SAMPLE)
    for change in [
        {"mode": "writers"},
        {"readonly": True},
        {"group": "7"},
        {"flags": ("umask=077",)},
        {"attributes": {**SAMPLE, "subpath": "onnx"}},
    ]:
        options = {"attributes": SAMPLE, **change}
        fields = driver.publication("vol", "pod", **options)
        driver.refused(StatusCode.ALREADY_EXISTS, "NodePublishVolume", **fields)
    # What kubelet tells of the pod is no attribute.
    told = {**SAMPLE, "csi.storage.k8s.io/pod.name": "pod-1", "csi.storage.k8s.io/ephemeral": "true"}
    driver.publish("vol", "pod", attributes=told)


@pytest.mark.parametrize(
    ("first", "second", "isAllowed"),
    [
        ("one node", "one node", True),
        ("readers", "readers", True),
        ("writers", "readers", True),
        ("one pod", "one pod", False),
        ("writer", "writer", False),
        ("reader", "reader", False),
        ("writers", "one pod", False),
    ],
)
def test_two_paths_on_a_node(driver, first, second, isAllowed):
    driver.start()
    driver.publish("vol", "one", attributes=SAMPLE, mode=first)
    fields = driver.publication("vol", "two", attributes=SAMPLE, mode=second)
    if isAllowed:
        driver.call("NodePublishVolume", **fields)
        assert driver.target("two").stat().st_dev == driver.target("one").stat().st_dev
        driver.unpublish("vol", "one")
        assert (driver.target("two") / "config.json").exists()
        driver.unpublish("vol", "two")
        assert driver.records() == {}
    else:
        driver.refused(StatusCode.FAILED_PRECONDITION, "NodePublishVolume", **fields)
        assert not driver.target("two").exists()


def test_what_attributes_ask_for(driver):
    driver.start()
    attributes = {"sourceType": "model", "sourceId": "lab/sample", "revision": "main"}
    more = {"subpath": "onnx", "uid": "1000", "cacheSize": "2Gi", "mountFlags": "umask=027,no-replay"}
    path = driver.publish("a/b:c", "pod", attributes={**attributes, **more}, flags=("gid=1001",))
    assert (path / "notes.txt").read_bytes() == FILES["onnx/notes.txt"]
    status = (path / "notes.txt").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1001)
    assert status.st_mode & 0o027 == 0
    driver.unpublish("a/b:c", "pod")
    assert driver.records() == {}


def test_a_publication_can_be_read_only_where_the_volume_is_not(driver, writable):
    driver.start()
    one = driver.publish("vol", "one", **writable)
    two = driver.publish("vol", "two", readonly=True, **writable)
    (one / "new.txt").write_text("seen by both\n")
    assert (two / "new.txt").read_text() == "seen by both\n"
    with pytest.raises(OSError, match="Read-only file system"):
        (two / "new.txt").write_text("no")


def test_a_group_may_write(driver, writable):
    driver.start()
    path = driver.publish("vol", "pod", group="1234", **writable)
    status = (path / "config.json").stat()
    assert status.st_gid == 1234 and status.st_mode & stat.S_IWGRP
    words = ["sh", "-c", "echo mine > new.txt"]
    done = subprocess.run(words, cwd=path, user=1000, group=1234, timeout=30)
    assert done.returncode == 0
    assert (path / "new.txt").read_text() == "mine\n"
    # Edits are one, so the group is.
    fields = driver.publication("vol", "two", group="99", **writable)
    words = driver.refused(StatusCode.FAILED_PRECONDITION, "NodePublishVolume", **fields)
    assert "another fsGroup" in words


def test_two_groups_read_a_volume(driver):
    driver.start()
    one = driver.publish("vol", "one", attributes=SAMPLE, group="1234")
    two = driver.publish("vol", "two", attributes=SAMPLE, group="99")
    driver.hubfs.unmounted_at_the_end(driver.mount_root / "vol_g1234")
    driver.hubfs.unmounted_at_the_end(driver.mount_root / "vol_g99")
    assert (one / "config.json").stat().st_gid == 1234
    assert (two / "config.json").stat().st_gid == 99
    driver.unpublish("vol", "one")
    assert (two / "config.json").read_bytes() == FILES["config.json"]
    driver.unpublish("vol", "two")
    assert driver.records() == {}


def test_something_else_at_the_target_is_left_alone(driver):
    driver.start()
    path = driver.target("pod")
    path.mkdir()
    subprocess.run(["mount", "--bind", "/usr/share", path], check=True)
    try:
        fields = driver.publication("vol", "pod", attributes=SAMPLE)
        driver.refused(StatusCode.FAILED_PRECONDITION, "NodePublishVolume", **fields)
        assert driver.records() == {}
        words = {"volume_id": "vol", "target_path": str(path)}
        driver.refused(StatusCode.FAILED_PRECONDITION, "NodeUnpublishVolume", **words)
        assert os.listdir(path) == os.listdir("/usr/share")
    finally:
        subprocess.run(["umount", path], check=True)


# The command line.


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--endpoint", "tcp://127.0.0.1:1"),
        ("--endpoint", "csi.sock"),
        ("--node-id", ""),
        ("--node-id", "x" * 257),
        ("--driver-name", "no name"),
        ("--driver-name", "x" * 64),
    ],
)
def test_a_command_line_that_is_refused(driver, option, value):
    command = driver.command("--driver-name", "csi.hubfs")
    position = command.index(option) + 1
    command[position] = value
    done = driver.hubfs.run_as(command)
    assert done.returncode == program.USAGE and option in done.stderr
