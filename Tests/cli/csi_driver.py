"""`hubfs serve csi` as a node of Kubernetes has it: a process, and gRPC over a unix socket."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import grpc
import mounting
import program
from grpc_tools import protoc
from localhub import REPOSITORY

START_TIMEOUT_SECONDS = 30
# Longer than any answer may take by the driver's own limits.
CALL_TIMEOUT_SECONDS = 110

MODES = {
    "writer": 1,
    "reader": 2,
    "readers": 3,
    "writers": 5,
    "one pod": 6,
    "one node": 7,
}


def generate(folder: Path) -> tuple[ModuleType, ModuleType]:
    """The messages and services of our csi.proto, in Python."""
    proto = REPOSITORY / "Sources/CSIMessages"
    well_known = Path(protoc.__file__).parent / "_proto"
    words = ["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={folder}"]
    assert protoc.main([*words, f"--grpc_python_out={folder}", "csi.proto"]) == 0
    sys.path.insert(0, str(folder))
    return importlib.import_module("csi_pb2"), importlib.import_module("csi_pb2_grpc")


def layers(path: Path) -> list[str]:
    """The options of our mounts at a path, the one on top last."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [words[5] for words in lines if words[4] == str(path) and "fuse.hubfs" in words]


# A container as far as the driver sees one: it is process 1, and its mounts stay inside, but for those on what is shared.
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "unchanged"]
CONTAINER_START = 'mount --make-private /proc && mount -t proc proc /proc && exec "$@"'


class Driver:
    """One driver's folders and, between `start` and its end, its process."""

    def __init__(self, hubfs: program.Program, modules: tuple[ModuleType, ModuleType]):
        self.hubfs = hubfs
        self.messages, self._services = modules
        # An address of a socket holds 107 bytes, and the folders of tests have long names.
        self._own_folder = Path(tempfile.mkdtemp(prefix="csi."))
        self.socket = self._own_folder / "csi.sock"
        self.state = hubfs.folder / "csi-state"
        self.mount_root = hubfs.folder / "mounts"
        self.log = hubfs.folder / "driver.log"
        # Kubernetes makes the folder above a target path.
        self.pods = hubfs.folder / "pods"
        self.pods.mkdir()
        self.process: subprocess.Popen | None = None
        self.is_in_container = False
        self.channel: grpc.Channel | None = None

    def command(self, *options: object) -> list[str]:
        words = ["serve", "csi", "--endpoint", f"unix://{self.socket}", "--node-id", "node-1"]
        folders = ["--state", self.state, "--mount-root", self.mount_root]
        return [str(word) for word in (mounting.binary(), *words, *folders, *options)]

    def start(self, *options: object, container: bool = False, **environment: str) -> "Driver":
        """Starts the driver and waits until it is ready."""
        self.is_in_container = container
        before = [*CONTAINER, "sh", "-c", CONTAINER_START, "sh"] if container else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, *self.command(*options)],
                env={**self.hubfs.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._connect()
        program.wait_until(self._is_ready, START_TIMEOUT_SECONDS)
        return self

    def _connect(self) -> None:
        if self.channel:
            self.channel.close()
        self.channel = grpc.insecure_channel(f"unix://{self.socket}")
        self.node = self._services.NodeStub(self.channel)
        self.identity = self._services.IdentityStub(self.channel)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            answer = self.identity.Probe(
                self.messages.ProbeRequest(), timeout=CALL_TIMEOUT_SECONDS, wait_for_ready=True
            )
        except grpc.RpcError as error:
            # A mount that does not work: the driver does.
            return error.code() == grpc.StatusCode.FAILED_PRECONDITION
        return answer.ready.value

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        # In a container the driver is unshare's child, which waits for it.
        [driver] = children.split() if self.is_in_container else [self.process.pid]
        os.kill(int(driver), number)
        return self.process.wait(timeout=60)

    def tear_down(self) -> None:
        self.channel and self.channel.close()
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.socket.unlink(missing_ok=True)
        self._own_folder.rmdir()

    # Calls.

    def call(self, name: str, **fields: object) -> object:
        """One call by its name, with the fields of its request."""
        service = self.node if name.startswith("Node") else self.identity
        request = getattr(self.messages, f"{name}Request")(**fields)
        return getattr(service, name)(request, timeout=CALL_TIMEOUT_SECONDS)

    def refused(self, code: grpc.StatusCode, name: str, **fields: object) -> str:
        """One call that must fail with this code. Returns the sentence."""
        try:
            answer = self.call(name, **fields)
        except grpc.RpcError as error:
            assert error.code() == code, f"{error.code()}: {error.details()}"
            assert error.details(), "it failed without a word"
            return error.details()
        raise AssertionError(f"it was not refused: {answer}")

    def is_done(self, name: str, **fields: object) -> bool:
        """Whether one call goes well now."""
        try:
            self.call(name, **fields)
        except grpc.RpcError:
            return False
        return True

    def records(self) -> dict[str, dict]:
        """What the driver knows of volumes, by their names."""
        files = (self.state / "volumes").glob("*.json")
        return {file.stem: json.loads(file.read_text()) for file in files}

    def tokens(self) -> dict[str, str]:
        """The volumes' tokens."""
        return {file.name: file.read_text() for file in (self.state / "tokens").iterdir()}

    def target(self, pod: str) -> Path:
        """The path of a pod's volume, as kubelet would have it; unmounted at the end of the test."""
        path = self.pods / pod / "mount"
        path.parent.mkdir(exist_ok=True)
        return self.hubfs.unmounted_at_the_end(path)

    def capability(
        self, mode: str = "one node", group: str = "", flags: tuple[str, ...] = ()
    ) -> object:
        mount = self.messages.VolumeCapability.MountVolume(
            volume_mount_group=group, mount_flags=flags
        )
        access = self.messages.VolumeCapability.AccessMode(mode=MODES[mode])
        return self.messages.VolumeCapability(mount=mount, access_mode=access)

    def publication(self, volume: str, pod: str, **options: object) -> dict:
        """The fields of a publish request. `attributes` are the volume's, the rest is `capability`'s."""
        attributes = {"sourceType": "repo", **options.pop("attributes", {})}
        fields = {
            "volume_id": volume,
            "target_path": str(self.target(pod)),
            "readonly": options.pop("readonly", False),
            "secrets": options.pop("secrets", {}),
            "volume_context": attributes,
        }
        self.hubfs.unmounted_at_the_end(self.mount_root / volume)
        return {**fields, "volume_capability": self.capability(**options)}

    def publish(self, volume: str, pod: str, **options: object) -> Path:
        """Publishes a volume for a pod. Returns where it is."""
        self.call("NodePublishVolume", **self.publication(volume, pod, **options))
        return self.target(pod)

    def unpublish(self, volume: str, pod: str) -> None:
        self.call("NodeUnpublishVolume", volume_id=volume, target_path=str(self.target(pod)))

    def daemon(self, volume: str) -> int:
        """The process that serves the volume."""
        return self.hubfs.status(self.mount_root / volume)["pid"]

    def stats(self, volume: str, path: Path) -> object:
        return self.call("NodeGetVolumeStats", volume_id=volume, volume_path=str(path))
