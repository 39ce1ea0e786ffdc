"""Downloads by Xet: the official client with its own program for it, against a Hub that offers both ways.

What a test counts shows which way the bytes took: `cas` are the questions, `xorb` the parts of xorbs, and `cdn` is
the way without Xet.
"""

from pathlib import Path

import pytest
import wire
import xet_program
from samples import MEBIBYTE, noise

LARGE = noise(5 * MEBIBYTE, seed=11)
SAMPLE = {
    "config.json": b'{"hidden": 7}\n',
    "large.bin": LARGE,
    "changed.bin": LARGE[: 2 * MEBIBYTE] + b"a few bytes more" + LARGE[2 * MEBIBYTE :],
    "zeros.bin": bytes(3 * MEBIBYTE),
    "dir/floats.safetensors": bytes(range(0, 250, 2)) * 4000,
}


@pytest.fixture(scope="module")
def sample(xet_hub, tmp_path_factory) -> str:
    """A repo whose files came without Xet."""
    folder = tmp_path_factory.mktemp("sample")
    for path, data in SAMPLE.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    xet_hub.run("import", "--root", xet_hub.root, "lab/sample", folder)
    return "lab/sample"


def took_xet(hub) -> bool:
    """Whether bytes came by Xet and by no other way since the last reset."""
    classes = hub.stats()["classes"]
    return classes["xorb"]["bytesSent"] > 0 and classes["cdn"]["requests"] == 0


def test_one_file(xet_hub, xet_api, sample, tmp_path):
    xet_hub.reset_stats()
    for path, data in SAMPLE.items():
        local = Path(xet_api.hf_hub_download(sample, path, cache_dir=tmp_path))
        assert local.read_bytes() == data
    assert took_xet(xet_hub)
    asked = xet_hub.stats()["endpoints"]
    assert asked["cas-reconstruction"] >= len(SAMPLE) - 1
    assert asked["xet-token"] >= 1


def test_chunks_that_are_alike_are_there_once(xet_hub, xet_api, sample, tmp_path):
    xet_hub.reset_stats()
    xet_api.hf_hub_download(sample, "zeros.bin", cache_dir=tmp_path)
    assert took_xet(xet_hub)
    assert xet_hub.bytes_sent("xorb") < 20_000


def test_snapshot(xet_hub, xet_api, sample, tmp_path):
    xet_hub.reset_stats()
    local = Path(xet_api.snapshot_download(sample, cache_dir=tmp_path))
    assert {path: (local / path).read_bytes() for path in SAMPLE} == SAMPLE
    assert took_xet(xet_hub)
    # Now the listing tells the hashes, so that nothing is asked of each file.
    listed = {entry.path: entry for entry in xet_api.list_repo_tree(sample, recursive=True)}
    assert all((listed[path].xet_hash is None) == path.endswith(".json") for path in SAMPLE)
    xet_hub.reset_stats()
    again = Path(xet_api.snapshot_download(sample, cache_dir=tmp_path / "again"))
    assert (again / "large.bin").read_bytes() == LARGE
    assert took_xet(xet_hub)
    assert xet_hub.stats()["endpoints"]["resolve"] == 2, "of the two small files"


def test_the_command(xet_hub, sample, tmp_path):
    xet_hub.reset_stats()
    xet_program.run(
        xet_hub, tmp_path / "home", "download", sample, "--local-dir", tmp_path / "local"
    )
    assert {path: (tmp_path / "local" / path).read_bytes() for path in SAMPLE} == SAMPLE
    assert took_xet(xet_hub)


FAULTS = {
    "an expired URL": ("--expired", "--class", "xorb", "--count", 1),
    "a cut xorb": ("--cut", 1000, "--class", "xorb", "--count", 1),
    "a busy CAS": ("--status", 503, "--to", "cas-reconstruction", "--count", 1),
    "a busy store": ("--status", 503, "--class", "xorb", "--count", 1),
    "a head that is no chunk's": ("--corrupt", "--length", 8, "--class", "xorb", "--count", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_once(xet_hub, xet_api, sample, tmp_path, fault):
    xet_hub.add_fault(*FAULTS[fault])
    try:
        local = Path(xet_api.hf_hub_download(sample, "large.bin", cache_dir=tmp_path))
        assert local.read_bytes() == LARGE
        assert [entry["fired"] for entry in xet_hub.faults()] == [1]
    finally:
        xet_hub.clear_faults()


def test_version_one_and_several_ranges_at_once(xet_hub, sample, tmp_path):
    """What the client does only where it must, in a process that is told to."""
    xet_hub.add_fault("--status", 404, "--path", "/cas/v2/*")
    program = (
        "import sys; from huggingface_hub import hf_hub_download; "
        "hf_hub_download(sys.argv[1], 'changed.bin', local_dir=sys.argv[2])"
    )
    xet_hub.reset_stats()
    try:
        xet_program.run(
            xet_hub, tmp_path / "home", "-c", program, sample, tmp_path,
            HF_XET_CLIENT_ENABLE_MULTIRANGE_FETCHING="1",
        )  # fmt: skip
    finally:
        xet_hub.clear_faults()
    assert (tmp_path / "changed.bin").read_bytes() == SAMPLE["changed.bin"]
    assert took_xet(xet_hub)


def test_hashes_made_by_an_import(xet_hub, xet_api, tmp_path):
    (tmp_path / "a.bin").write_bytes(LARGE)
    xet_hub.run("import", "--root", xet_hub.root, "lab/imported", tmp_path, "--xet")
    [listed] = xet_api.get_paths_info("lab/imported", "a.bin")
    metadata = xet_api.get_hf_file_metadata(
        url=f"{xet_hub.address.endpoint}/lab/imported/resolve/main/a.bin"
    )
    assert listed.xet_hash == metadata.xet_file_data.file_hash


def test_xet_is_an_offer(xet_hub, sample):
    """Who does not follow it has the same bytes from the CDN."""
    first = wire.request("GET", f"{xet_hub.address.endpoint}/{sample}/resolve/main/large.bin")
    assert first.status == 302
    assert first["X-Xet-Hash"]
    xet_hub.reset_stats()
    assert wire.request("GET", first["Location"]).body == LARGE
    assert not took_xet(xet_hub)
