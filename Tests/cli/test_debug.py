"""`hubfs debug`: what is known of a mount, in one file, without secrets."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import tarfile

import program

PARTS = {
    "about.txt", "status.json", "stats.json", "log.txt", "mount.txt", "daemon.txt",
    "environment.txt",
}
PLANTED = [
    "hf_PLANTEDPLANTEDPLANTED", "envtoken-9876543210",
    "PLANTEDSIGNATURE", "planteduser", "plantedpassword", "proxyuser", "proxypassword",
]


def bundle(hubfs, path, name="bundle.tar.gz") -> dict[str, str]:
    file = hubfs.folder / name
    assert hubfs.succeed("debug", path, "-o", file).strip() == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes()), mode="r:gz") as archive:
        members = archive.getmembers()
        folder = members[0].name.split("/")[0]
        assert {member.name.removeprefix(folder + "/") for member in members} == PARTS
        return {
            member.name.removeprefix(folder + "/"): archive.extractfile(member).read().decode()
            for member in members
        }


def test_a_bundle_has_what_a_report_needs(hubfs):
    path = hubfs.mount("lab/sample", "--no-replay")
    (path / "config.json").read_bytes()
    parts = bundle(hubfs, path)
    status = json.loads(parts["status.json"])
    assert status["mountPoint"] == str(path) and status["cache"]["limitBytes"] > 0
    assert json.loads(parts["stats.json"])["figures"]["kernel_requests_total"]["open"] > 0
    assert " notice mounted " in parts["log.txt"]
    assert f" {path} " in parts["mount.txt"] and "fuse.hubfs" in parts["mount.txt"]
    assert "--no-replay" in parts["daemon.txt"] and "hubfs-fuse-0" in parts["daemon.txt"]
    assert os.uname().release in parts["about.txt"]
    assert re.search(r"^libfuse 3\.\d+\.\d+$", parts["about.txt"], re.MULTILINE)
    assert f"HF_ENDPOINT={hubfs.environment['HF_ENDPOINT']}" in parts["environment.txt"]


def test_secrets_are_taken_out_wherever_they_are(hubfs, token):
    secret = hubfs.folder / "token"
    secret.write_text(token + "\n")
    path = hubfs.mount_point()
    hubfs.succeed(
        "mount", "lab/sample", path, "--token-file", secret, "-m", "of hf_PLANTEDPLANTEDPLANTED",
        environment={
            "HF_TOKEN": "envtoken-9876543210",
            "HUBFS_OF_OURS": "https://planteduser:plantedpassword@example.org/x?sig=PLANTEDSIGNATURE",
            "http_proxy": "proxyuser:proxypassword@127.0.0.1:9", "no_proxy": "127.0.0.1,localhost",
        },
    )
    with hubfs.logs()[0].open("a") as log:
        log.write("Authorization: Basic PLANTEDSIGNATURE==\n")
        log.write(f"header Bearer envtoken-9876543210, and {token} alone\n")
        log.write("GET https://cdn.example.org/a/b?X-Amz-Signature=PLANTEDSIGNATURE&Expires=1 403\n")
        log.write("git remote http://planteduser@example.org/lab/sample, hf_PLANTEDPLANTEDPLANTED\n")
    parts = bundle(hubfs, path)
    for name, text in parts.items():
        for planted in [*PLANTED, token]:
            assert planted not in text, (name, planted)
    assert "https://cdn.example.org/a/b?REMOVED 403" in parts["log.txt"]
    assert "http://REMOVED@example.org/lab/sample" in parts["log.txt"]
    assert "HF_TOKEN=REMOVED" in parts["environment.txt"]
    assert "http_proxy=REMOVED@127.0.0.1:9" in parts["environment.txt"]
    assert "HUBFS_OF_OURS=https://REMOVED@example.org/x?REMOVED" in parts["environment.txt"]


def test_a_daemon_that_hangs_is_bundled_without_what_it_knows(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        parts = bundle(hubfs, path)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert json.loads(parts["status.json"])["state"] == "hangs"
    assert "does not answer" in parts["stats.json"]
    assert f"daemon {pid}" in parts["about.txt"]
    assert " notice mounted " in parts["log.txt"] and "hubfs-fuse-0" in parts["daemon.txt"]


def test_nothing_is_written_over_nor_into_a_mount(editor, repo):
    path = editor.mount(repo, "-w")
    taken = editor.folder / "taken"
    taken.write_text("mine")
    editor.fail(program.LOCAL_STORAGE, "debug", path, "-o", taken)
    assert taken.read_text() == "mine"
    assert "is in a mount" in editor.fail(program.USAGE, "debug", path, "-o", path / "bundle.tar.gz")
    assert not (path / "bundle.tar.gz").exists()
