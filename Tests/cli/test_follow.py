"""`hubfs mount --follow`: its forms, what is refused, and what `hubfs status` tells."""

from __future__ import annotations

import os

import program
import pytest


@pytest.mark.parametrize(
    "form, seconds",
    [
        (["mount", "--follow", "SRC", "DIR"], 30),
        (["mount", "SRC", "DIR", "--follow"], 30),
        (["mount", "--follow=7", "SRC", "DIR"], 7),
        (["mount", "--follow=2m", "SRC", "DIR"], 120),
        (["mount", "--follow=1h", "SRC", "DIR"], 3600),
        (["mount", "SRC", "DIR", "-o", "follow"], 30),
        (["mount", "SRC", "DIR", "-o", "follow=2.5,umask=077"], 2.5),
        (["SRC", "DIR", "-o", "ro,follow=9"], 9),
    ],
)
def test_the_forms_of_the_option(hubfs, form, seconds):
    path = hubfs.mount_point()
    hubfs.succeed(*[{"SRC": "hf://lab/sample", "DIR": path}.get(word, word) for word in form])
    follow = hubfs.status(path)["follow"]
    assert follow["intervalSeconds"] == seconds
    assert follow["questions"] == 0 and follow["askedSecondsAgo"] is None
    assert 0 < follow["nextInSeconds"] <= seconds


def test_a_mount_without_it_follows_nothing(hubfs):
    assert hubfs.status(hubfs.mount("lab/sample"))["follow"] is None


@pytest.mark.parametrize(
    "value",
    ["--follow=0", "--follow=soon", "--follow=-1", "--follow=3601", "--follow=61m", "--follow=s",
     "--follow=1d"],
)  # fmt: skip
def test_an_interval_that_does_not_fit_is_refused(hubfs, value):
    hubfs.fail(program.USAGE, "mount", value, "lab/sample", hubfs.mount_point())


def test_a_commit_is_nothing_to_follow(hubfs):
    path = hubfs.mount("lab/sample")
    commit = os.getxattr(path, "user.hubfs.commit").decode()
    for revision in (commit, commit[:10]):
        message = hubfs.fail(
            program.USAGE, "mount", "--follow", f"hf://lab/sample@{revision}", hubfs.mount_point()
        )
        assert "is a commit" in message and "without --follow" in message


def test_a_writable_mount_does_not_follow_by_itself(hubfs):
    message = hubfs.fail(
        program.USAGE, "mount", "-w", "--follow", "lab/sample", hubfs.mount_point()
    )
    assert "hubfs pull" in message


def test_status_tells_people_too(hubfs):
    path = hubfs.mount("lab/sample", "--follow=60")
    assert "main, every 60 s; not asked yet, next in " in hubfs.succeed("status", path)
    commit = hubfs.succeed("pull", path).strip()
    assert commit == os.getxattr(path, "user.hubfs.commit").decode()
    text = " ".join(hubfs.succeed("status", path).split())
    assert " ago, next in " in text and "moved 0 times" in text
    assert hubfs.status(path)["follow"]["questions"] == 1
