"""nginx as the Hub's CDN: hands out localhub's objects as fast as the machine can.

localhub answers `resolve` as the Hub does and sends the client here. Beside the objects it shows
`/mirror/`, a plain tree of files for programs that can only read a web server's listings.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

READY_SECONDS = 10

CONFIGURATION = """
daemon off;
worker_processes 2;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format traffic '$status $body_bytes_sent $uri';
    access_log {folder}/access.log traffic;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 300;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    {temporary}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {objects};
        # /models/NAMESPACE/NAME/SHA256
        location ~ "^/(models|datasets|spaces)/([^/]+/[^/]+)/(([0-9a-f]{{2}})([0-9a-f]{{2}})\\w+)$" {{
            if ($arg_Signature = "") {{ return 403; }}
            try_files /$1/$2.git/lfs/objects/$4/$5/$3 =404;
        }}
        location /mirror/ {{
            root {folder};
            autoindex on;
        }}
        include {folder}/redirects.conf;
    }}
}}
"""


class WebServer:
    """One nginx with its files in a folder."""

    def __init__(self, folder: Path, objects: Path):
        self.folder = folder
        (folder / "mirror").mkdir(parents=True)
        self.port = free_port()
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=folder, objects=objects, port=self.port,
                user="user root;" if Path("/proc/self").owner() == "root" else "",
                temporary=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
            )
        )  # fmt: skip
        (folder / "redirects.conf").touch()
        (folder / "access.log").touch()
        self._process: subprocess.Popen | None = None

    @property
    def origin(self) -> str:
        """Another host name than the Hub's, as that of the real CDN."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        command = ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"]
        with (self.folder / "start.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx: {(self.folder / 'start.log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process:
            process.terminate()
            process.wait(timeout=10)

    def mirror(self, repo: str, files: dict[str, Path], urls: dict[str, str]) -> str:
        """Shows files below `/mirror/REPO/`, with the contents at other URLs where there are such.

        Returns the folder's URL.
        """
        place = self.folder / "mirror" / repo
        for name, file in files.items():
            shown = place / name
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.unlink(missing_ok=True)
            shown.symlink_to(file)
        lines = [
            f'location = "/mirror/{repo}/{name}" {{ return 302 "{url}"; }}\n'
            for name, url in urls.items()
        ]
        (self.folder / "redirects.conf").write_text("".join(lines))
        self.stop()
        self.start()
        return f"{self.origin}/mirror/{repo}/"

    # What it has sent since the reset.

    def reset(self) -> None:
        (self.folder / "access.log").write_text("")

    def requests_and_bytes(self) -> tuple[int, int]:
        """Requests and bytes of bodies."""
        text = (self.folder / "access.log").read_text(errors="replace")
        sizes = re.findall(r"^\d+ (\d+) ", text, re.MULTILINE)
        return len(sizes), sum(map(int, sizes))

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
