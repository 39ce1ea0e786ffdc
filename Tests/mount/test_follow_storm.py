"""A commit every second under readers of every kind. For ten minutes of it: scripts/soak --follow."""

from __future__ import annotations

import pytest
from follow_storm.generations import files
from follow_storm.storm import Storm
from following import Branch
from published import Published


@pytest.mark.timeout(180)
def test_a_commit_every_second_under_eight_readers(hub, import_repo, new_mount, write_token):
    published = Published(hub, import_repo(files(0)), write_token)
    branch = Branch(published, new_mount(f"hf://{published.id}", "--follow=0.3"))
    storm = Storm(branch)
    storm.blow(20, commits=10)
    assert all(storm.looks.values()), storm.looks
    head = published.head
    branch.wait(lambda: branch.status["commit"] == head)
    assert branch.status["follow"]["moves"] >= 5
    assert "error" not in branch.mount.log().replace("error=0", "")
    assert branch.mount.unmount() == 0
