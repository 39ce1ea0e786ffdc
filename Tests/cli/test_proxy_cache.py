"""Between hubfs and the Hub: a caching nginx, proxies, and an authority of one's own. docs/SCALE.md."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import localhub
import program
import pytest
from conftest import FILES

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
MODEL = "hf://lab/sample"
BIG = FILES["weights.safetensors"]
SLICE_BYTES = 4 << 20

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (package nginx-light)"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Path:
    """A folder with an authority nobody knows (ca.crt), and a certificate of it for localhost."""
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Own authority")
    openssl("req", *key[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "names", "-out", "server.crt",
    )
    return folder


@contextlib.contextmanager
def nginx_before(hub, authority: Path, folder: Path):
    """The documented nginx before a local Hub. Gives the address that stands for the Hub's."""
    folder.mkdir()
    hub_port, contents_port = free_port(), free_port()
    cdn_port = hub.address.cdn.rpartition(":")[2]
    text = (localhub.REPOSITORY / "packaging/nginx/hub-cache.conf").read_text()
    for before, after in [
        ("worker_processes auto;", "worker_processes 1;\nuser root;\ndaemon off;"),
        ("/run/hub-cache.pid", f"{folder}/pid"),
        ("/var/log/nginx", str(folder)),
        ("/var/cache/nginx", str(folder)),
        ("/etc/nginx/hub-cache", f"{authority}/server"),
        ("hub-cache.example", "localhost"),
        ("8443", str(hub_port)),
        ("8444", str(contents_port)),
        # The local Hub speaks no TLS, and is not found by names.
        ("proxy_pass https://huggingface.co", f"proxy_pass {hub.address.endpoint}"),
        ("Host huggingface.co", "Host " + hub.address.endpoint.removeprefix("http://")),
        ("~^https://(?<cdn>[^/]+\\.hf\\.co)/", "~^http://(?<cdn>localhost:[0-9]+)/"),
        ("^/(?<cdn>[a-z0-9.-]+\\.hf\\.co)/", "^/(?<cdn>localhost:[0-9]+)/"),
        ("https://$cdn/", "http://contents/"),
        # Of an address that is made of variables nginx asks a name server, unless it is a name of its own.
        ("        resolver 127.0.0.53;\n", ""),
        ("http {\n", f"http {{\n    upstream contents {{ server 127.0.0.1:{cdn_port}; }}\n"),
    ]:
        assert before in text, f"the documented configuration has no '{before}'"
        text = text.replace(before, after)
    configuration = folder / "hub-cache.conf"
    configuration.write_text(text)
    process = subprocess.Popen(
        [NGINX, "-p", folder, "-c", configuration], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        program.wait_until(lambda: answers(hub_port) or process.poll() is not None)
        assert process.poll() is None, (folder / "hub-cache.error.log").read_text()
        yield f"https://localhost:{hub_port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def cache_in_front(hub, authority, tmp_path):
    with nginx_before(hub, authority, tmp_path / "nginx") as address:
        yield address


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def behind(hubfs, cache_in_front, authority):
    """hubfs that takes the cache for the Hub, and trusts its authority."""
    hubfs.environment |= {
        "HF_ENDPOINT": cache_in_front, "SSL_CERT_FILE": str(authority / "ca.crt"),
    }  # fmt: skip
    return hubfs


def contents_sent(hub) -> dict:
    return hub.stats()["classes"].get("cdn", {"requests": 0, "bytesSent": 0})


def test_the_second_daemon_has_its_data_from_the_cache(behind, hub):
    first = behind.mount(MODEL, "--cache-dir", behind.folder / "cache1")
    assert (first / "weights.safetensors").read_bytes() == BIG
    once = contents_sent(hub)
    # Every byte once, whatever ranges were asked for.
    assert len(BIG) <= once["bytesSent"] < len(BIG) + 100_000
    assert once["requests"] == -(-len(BIG) // SLICE_BYTES)
    questions = hub.stats()["classes"]["api"]["requests"]

    second = behind.mount(MODEL, "--cache-dir", behind.folder / "cache2")
    assert (second / "weights.safetensors").read_bytes() == BIG
    assert (second / "config.json").read_bytes() == FILES["config.json"]
    assert contents_sent(hub) == once
    # Names and addresses are still the Hub's to give.
    assert hub.stats()["classes"]["api"]["requests"] > questions
    assert behind.status(second)["requests"]["cdn"] > 0


def test_a_part_of_a_file_costs_its_slice(behind, hub):
    path = behind.mount(MODEL)
    with (path / "weights.safetensors").open("rb", buffering=0) as file:
        file.seek(9 << 20)
        assert file.read(4096) == BIG[9 << 20 : (9 << 20) + 4096]
    sent = contents_sent(hub)
    assert sent["requests"] == 1
    assert 4096 <= sent["bytesSent"] < SLICE_BYTES + 50_000


def test_pages_of_a_long_list_are_asked_of_the_cache(hubfs, authority, tmp_path):
    """The Hub names the next page by an address of its own, which the nodes may not even reach."""
    pages = localhub.LocalHub(tmp_path / "pages")
    pages.serve_options = ["--page-size", "2"]
    files = tmp_path / "files"
    files.mkdir()
    for number in range(5):
        (files / f"{number}.txt").write_text("x")
    pages.start()
    try:
        pages.run("import", "--root", pages.root, "lab/pages", files)
        with nginx_before(pages, authority, tmp_path / "nginx") as address:
            hubfs.environment |= {
                "HF_ENDPOINT": address, "SSL_CERT_FILE": str(authority / "ca.crt"),
            }  # fmt: skip
            # hubfs refuses a page that is at another server.
            names = hubfs.succeed("ls", "hf://lab/pages").split()
        assert {f"{number}.txt" for number in range(5)} <= set(names)
    finally:
        pages.stop()


def test_an_authority_that_is_not_known_is_not_trusted(behind):
    environment = behind.environment
    good = environment.pop("SSL_CERT_FILE")
    assert "certificate" in behind.fail(program.HUB_UNAVAILABLE, "ls", MODEL)
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]:
        done = behind.run_as([program.mounting.binary(), "ls", MODEL], {name: good})
        assert done.returncode == 0, done.stderr
    assert "config.json" in done.stdout


class Tunnels:
    """A proxy that knows CONNECT alone, as proxies are for https."""

    def __init__(self):
        self.targets: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := client.recv(4096)):
                    return
                head += data
            method, target, _ = head.decode().split("\r\n")[0].split()
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 405 CONNECT alone\r\n\r\n")
                return
            self.targets.append(target)
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                ends = [client, server]
                while True:
                    for end in select.select(ends, [], [])[0]:
                        if not (data := end.recv(65536)):
                            return
                        ends[1 - ends.index(end)].sendall(data)


def test_proxies_are_taken_from_the_environment(behind, cache_in_front):
    proxy = Tunnels()
    target = cache_in_front.removeprefix("https://")
    try:
        for name in ["https_proxy", "HTTPS_PROXY"]:
            behind.environment |= {name: proxy.address}
            path = behind.mount(MODEL, "--cache-dir", behind.folder / name.swapcase())
            assert (path / "weights.safetensors").read_bytes() == BIG
            assert target in proxy.targets
            # Contents too, which are at another port here.
            assert set(proxy.targets) != {target}
            proxy.targets.clear()
            del behind.environment[name]
        behind.environment |= {"HTTPS_PROXY": proxy.address}
        for name in ["no_proxy", "NO_PROXY"]:
            done = behind.run_as(
                [program.mounting.binary(), "ls", MODEL], {name: "example.org,localhost"})
            assert done.returncode == 0, done.stderr
            assert proxy.targets == []
    finally:
        proxy.close()
