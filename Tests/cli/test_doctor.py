"""`hubfs doctor`: each line says how it is, and the fix for what is not as it should be."""

from __future__ import annotations

import json

import program


def checks(hubfs, *arguments: object, code: int = 0, **options) -> dict[str, dict]:
    done = hubfs.run("doctor", "--json", *arguments, **options)
    assert done.returncode == code, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is (code == 0)
    return {check["name"]: check for check in report["checks"]}


def test_a_machine_that_is_well(hubfs, token):
    found = checks(hubfs, environment={"HF_TOKEN": token})
    for name in ["fuse device", "fusermount3", "allow_other", "token", "endpoint", "cache"]:
        assert found[name]["outcome"] == "ok", found[name]
        assert found[name]["fix"] is None
    assert "HF_TOKEN" in found["token"]["finding"]
    text = hubfs.succeed("doctor", environment={"HF_TOKEN": token})
    assert token not in text and token not in json.dumps(found)


def test_without_a_token(hubfs):
    token = checks(hubfs)["token"]
    assert token["outcome"] == "warn" and "HF_TOKEN" in token["fix"]


def test_a_token_the_hub_does_not_know(hubfs):
    done = hubfs.run("doctor", environment={"HF_TOKEN": "hf_wrong"})
    assert done.returncode == program.FAILURE
    assert "does not accept it" in done.stdout and "hf_wrong" not in done.stdout + done.stderr


def test_a_token_in_a_file(hubfs, token):
    path = hubfs.folder / "token"
    path.write_text(token + "\n")
    found = checks(hubfs, "--token-file", path)["token"]
    assert found["outcome"] == "ok" and str(path) in found["finding"]


def test_no_hub(hubfs):
    found = checks(
        hubfs, "--endpoint", "http://127.0.0.1:9", "--read-timeout", 2, code=program.FAILURE
    )
    assert found["endpoint"]["outcome"] == "fail" and "HF_ENDPOINT" in found["endpoint"]["fix"]


def test_a_cache_below_a_fuse_mount(hubfs):
    path = hubfs.mount("lab/sample")
    found = checks(hubfs, "--cache-dir", path, code=program.FAILURE)
    assert "FUSE" in found["cache disk"]["finding"]
    assert "HUBFS_CACHE" in found["cache disk"]["fix"]


def test_no_fuse_device(hubfs):
    script = 'mount -t tmpfs none /dev && exec "$@"'
    done = hubfs.run_as(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
         program.mounting.binary(), "doctor"]
    )
    assert done.returncode == program.FAILURE
    assert "/dev/fuse does not exist" in done.stdout and "modprobe fuse" in done.stdout
