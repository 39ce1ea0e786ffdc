"""`--metrics`: what Prometheus scrapes, and the dashboard that shows it."""

from __future__ import annotations

import http.client
import json
import re
import socket

import program
import pytest
from conftest import FILES
from localhub import REPOSITORY
from prometheus_client.parser import text_string_to_metric_families

DASHBOARD = REPOSITORY / "packaging" / "grafana" / "hubfs.json"


def ask(path, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of what the socket answers to these bytes."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(path))
        peer.sendall(request)
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def scrape(path) -> dict:
    """The families at a socket, by name."""
    head, body = ask(path, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert f"Content-Length: {len(body)}".encode() in head
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def value(families: dict, name: str, **labels) -> float:
    found = [
        sample.value for family in families.values() for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


@pytest.fixture
def metrics(hubfs, tmp_path_factory):
    """A mount and its socket, whose path is short enough for an address."""
    file = tmp_path_factory.mktemp("m") / "s"
    return hubfs.mount("lab/sample", "--metrics", f"unix:{file}"), file


def test_everything_is_in_the_text(hub, hubfs, metrics):
    path, file = metrics
    (path / "weights.safetensors").read_bytes()
    families = scrape(file)
    figures = hubfs.json("stats", path)["figures"]
    assert value(families, "hubfs_read_bytes_total") == len(FILES["weights.safetensors"])
    for part in ["api", "resolve", "cdn"]:
        assert value(families, "hubfs_hub_requests_total", part=part) == hub.requests(part)
    info = families["hubfs_mount_info"].samples[0]
    assert info.value == 1 and info.labels["mount_point"] == str(path)
    assert info.labels["source"] == "hf://models/lab/sample"
    exported = {sample.name for family in families.values() for sample in family.samples}
    assert {f"hubfs_{name}" for name in figures} <= exported
    for family in families.values():
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name


def test_histograms_are_cumulative(metrics):
    path, file = metrics
    (path / "weights.safetensors").read_bytes()
    name = "hubfs_request_duration_seconds"
    families = scrape(file)
    for kind in ["read_at_once", "read_after_wait", "write", "sync", "metadata"]:
        buckets = [
            (float(sample.labels["le"]), sample.value) for sample in families[name].samples
            if sample.name == name + "_bucket" and sample.labels["kind"] == kind
        ]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf")
        counts = [count for _, count in buckets]
        assert counts == sorted(counts)
        assert counts[-1] == value(families, name + "_count", kind=kind)
    assert value(families, name + "_count", kind="read_after_wait") > 0
    assert value(families, name + "_sum", kind="read_after_wait") > 0


def test_the_dashboard_asks_for_what_is_exported(editor, repo, tmp_path_factory):
    file = tmp_path_factory.mktemp("m") / "s"
    path = editor.mount(repo, "-w", "--metrics", f"unix:{file}")
    (path / "weights.bin").read_bytes()
    exported = {sample.name for family in scrape(file).values() for sample in family.samples}
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    asked = {name for text in expressions for name in re.findall(r"hubfs_\w+", text)}
    assert len(asked) >= 15
    # The quota is there once the Hub has told it.
    assert asked - {"hubfs_hub_requests_left"} <= exported
    for variable in dashboard["templating"]["list"]:
        if query := variable.get("query"):
            assert set(re.findall(r"hubfs_\w+", str(query))) <= exported


REFUSED = {
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n": 405,
    b"GET /metrics HTTP/1.1\r\n\r\n": 400,
    b"GET /metrics HTTP/1.1\r\nHost: example.org\r\n\r\n": 421,
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.example.org:9464\r\n\r\n": 421,
    b"GET /metrics HTTP/3\r\nHost: localhost\r\n\r\n": 400,
    b"hello\r\n\r\n": 400,
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000: 431,
    b"GET /metr": 408,
}


def test_other_requests_are_refused_and_hold_nobody_up(metrics):
    path, file = metrics
    for request, status in REFUSED.items():
        head, body = ask(file, request)
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), (request[:60], head)
        assert b"hubfs_" not in body
    head, body = ask(file, b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and body == b""
    assert scrape(file) and (path / "config.json").exists()


def test_a_port_of_this_machine_serves_too(hubfs):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = hubfs.mount("lab/sample", "-o", f"metrics=127.0.0.1:{port}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200 and b"hubfs_mount_info" in answer.read()
    # Who has the address already is told before anything is mounted.
    other = hubfs.mount_point()
    said = hubfs.fail(program.BUSY, "mount", "lab/sample", other, "--metrics", f"localhost:{port}")
    assert "--metrics" in said and not program.is_mounted(other)
    hubfs.succeed("umount", path)


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "example.org:80", "9464", "unix:"])
def test_addresses_that_others_reach_are_refused(hubfs, address):
    path = hubfs.mount_point()
    hubfs.fail(program.USAGE, "mount", "lab/sample", path, "--metrics", address)
    assert not program.is_mounted(path)


def test_only_a_dead_socket_is_replaced(hubfs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    text = folder / "text"
    text.write_text("mine")
    path = hubfs.mount_point()
    hubfs.fail(program.BUSY, "mount", "lab/sample", path, "--metrics", f"unix:{text}")
    assert text.read_text() == "mine"
    left = folder / "left"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    hubfs.succeed("mount", "lab/sample", path, "--metrics", f"unix:{left}")
    assert "hubfs_mount_info" in scrape(left)
    hubfs.succeed("umount", path)
    assert not left.exists()
