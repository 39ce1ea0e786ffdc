"""A dockerd of the tests' own: nothing of it is installed, and it ends with them.

scripts/test-containers unpacks it and gives it mounts and processes of its own; HUBFS_ENGINE names the
folder it was unpacked to, HUBFS_CGROUP where its containers are put.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import program

ENGINE = Path(os.environ["HUBFS_ENGINE"])
# For sockets, whose addresses hold 107 bytes. /run is the tests' own.
RUN = Path("/run/hubfs-engine")
START_TIMEOUT_SECONDS = 60
COMMAND_TIMEOUT_SECONDS = 120

# What the containers of the tests call busybox by.
APPLETS = ["cat", "dd", "id", "ls", "mount", "sh", "sha256sum", "sleep", "stat", "sync", "true"]


class Engine:
    """dockerd with its own containerd, and the docker command."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log = folder / "dockerd.log"
        # Programs find each other by PATH: dockerd its containerd, that its shim, that runc.
        path = f"{ENGINE}/usr/bin:{ENGINE}/usr/sbin:{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "DOCKER_HOST": f"unix://{RUN}/docker.sock",
            "DOCKER_CONFIG": str(folder / "config"),
        }
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        RUN.mkdir()
        options = {
            "host": f"unix://{RUN}/docker.sock",
            "data-root": self.folder / "data",
            "exec-root": RUN / "exec",
            "pidfile": RUN / "dockerd.pid",
            "iptables": "false",
            "ip6tables": "false",
            "bridge": "none",
            "storage-driver": "vfs",
            "cgroup-parent": os.environ["HUBFS_CGROUP"],
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["dockerd", *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        program.wait_until(self._answers, START_TIMEOUT_SECONDS)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()[-4000:]
        return self.docker("version", check=False).returncode == 0

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)

    def docker(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        """One docker command."""
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )
        if check:
            assert done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
        return done

    def refused(self, *arguments: object) -> str:
        """A docker command that must fail. Returns what it shows."""
        done = self.docker(*arguments, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def run(self, *arguments: object, check: bool = True) -> str:
        """`docker run` of a container that ends. Returns what it wrote to stdout."""
        return self.docker("run", "--rm", "--network", "none", *arguments, check=check).stdout

    def start_container(self, *arguments: object) -> str:
        """`docker run` of a container that goes on. Returns its id."""
        return self.docker("run", "--detach", "--network", "none", *arguments).stdout.strip()

    def execute(self, container: str, script: str, check: bool = True) -> str:
        """A shell's script in a container that runs."""
        return self.docker("exec", container, "sh", "-c", script, check=check).stdout

    def import_busybox(self) -> None:
        """Makes the image `busybox`, of the one static program."""
        root = self.folder / "busybox"
        (root / "bin").mkdir(parents=True)
        shutil.copy(ENGINE / "bin/busybox", root / "bin/busybox")
        for name in APPLETS:
            (root / "bin" / name).symlink_to("busybox")
        archive = self.folder / "busybox.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True, timeout=60)
        self.docker("import", archive, "busybox")

    def remove_containers(self) -> None:
        containers = self.docker("ps", "--all", "--quiet").stdout.split()
        if containers:
            self.docker("rm", "--force", *containers)
