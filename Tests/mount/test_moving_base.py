"""What a mount shows when its base moves below it: cases the reference model has found."""

from __future__ import annotations

import json
import os
import subprocess
import time

import mounting
import pytest
from conftest import run
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from published import Judge, Published
from samples import MEBIBYTE, noise

START = {
    "config.json": b'{"layers": 12}\n',
    "run/a.txt": b"a\n",
    "run/deep/b.txt": b"b\n",
    "run/deep/c.bin": noise(70_000, seed=90),
    "other/d.txt": b"d\n",
}


@pytest.fixture
def judge(hub, import_repo, new_editable_mount, write_token, tmp_path) -> Judge:
    published = Published(hub, import_repo(START), write_token)
    mount = new_editable_mount(f"hf://{published.id}", "-w")
    return Judge(published, mount, tmp_path)


def discard(judge: Judge, path: str) -> None:
    judge.mount.run("discard", "--yes", judge.mount.path, judge.mount.path / path)


def test_a_directory_that_is_open_can_be_read_again_after_a_commit(judge):
    folder = os.open(judge.mount.path / "run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert sorted(os.listdir(folder)) == ["a.txt", "deep"]
        judge.edit(lambda root: (root / "run/new.txt").write_bytes(b"new\n"))
        judge.commit()
        assert sorted(os.listdir(folder)) == ["a.txt", "deep", "new.txt"]
    finally:
        os.close(folder)
    judge.check()


def test_a_workspace_without_edits_goes_on_from_the_head(judge):
    judge.mount.kill()
    (judge.plain / "theirs.txt").write_bytes(b"theirs\n")
    judge.published.commit({"theirs.txt": b"theirs\n"})
    for name in ("first.txt", "second.txt"):
        judge.mount.restart()
        judge.edit(lambda root, name=name: (root / name).write_bytes(b"new\n"))
        judge.mount.kill()
    judge.mount.restart()
    status = json.loads(judge.mount.run("status", "--json", judge.mount.path).stdout)
    assert status["mounts"][0]["edits"]["base"] == judge.published.head
    judge.commit()
    judge.check(2)


def test_what_comes_back_has_a_number_of_its_own(judge):
    number = (judge.mount.path / "run").stat().st_ino
    os.rename(judge.mount.path / "run", judge.mount.path / "moved")
    discard(judge, "run")
    for _ in range(2):
        back = {entry.name: entry.inode() for entry in os.scandir(judge.mount.path)}
        assert back["moved"] == (judge.mount.path / "moved").stat().st_ino == number
        assert back["run"] == (judge.mount.path / "run").stat().st_ino != number
        numbers = [path.stat().st_ino for path in judge.mount.path.rglob("*")]
        assert len(numbers) == len(set(numbers))
        judge.mount.run("umount", "--no-commit", judge.mount.path)
        judge.mount.wait()
        judge.mount.restart()
        assert (judge.mount.path / "run").stat().st_ino == back["run"]


def test_a_folder_that_came_back_is_not_its_moved_twin(judge):
    mount = judge.mount.path
    os.rename(mount / "run", mount / "moved")
    discard(judge, "run")
    run("cp", "-a", judge.plain / "run", judge.plain / "moved")
    assert (mount / "run/deep/b.txt").read_bytes() == b"b\n"
    judge.edit(lambda root: (root / "moved/deep/new.txt").write_bytes(b"new\n"))
    judge.edit(lambda root: (root / "moved/deep/c.bin").unlink())
    judge.commit()
    judge.check()


def test_a_large_readme_does_not_hold_up_a_commit(judge):
    judge.edit(lambda root: (root / "README.md").write_bytes(b"# " + b"m" * (5 * MEBIBYTE)))
    judge.commit()
    judge.check()


def test_what_a_commit_leaves_out_is_not_put_over_a_foreign_change(
    judge, new_editable_mount
):
    mount = new_editable_mount(f"hf://{judge.published.id}", "-w", "--workspace", "other",
                               "--commit", "interval:1")  # fmt: skip
    with open(mount.path / "config.json", "r+b", buffering=0) as held:
        held.write(b"mine")
        judge.published.commit({"config.json": b"theirs\n"})
        (mount.path / "other/d.txt").write_bytes(b"done\n")
        deadline = time.monotonic() + 30
        while "config.json" not in mount.log() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert mount.run("commit", mount.path, check=False).returncode == 13
    assert judge.published.git.blob("config.json") == b"theirs\n"
    assert (mount.path / "config.json").read_bytes() == b'mine' + START["config.json"][4:]
    mount.run("commit", mount.path, "--on-conflict", "ours")
    assert judge.published.git.blob("config.json").startswith(b"mine")


def test_a_writer_of_a_clean_file_is_not_cut_off_by_a_rebase(judge):
    mount = judge.mount
    with open(mount.path / "config.json", "r+b", buffering=0) as held:
        judge.published.commit({"config.json": b"theirs\n"})
        (mount.path / "other/d.txt").write_bytes(b"done\n")
        mount.run("commit", mount.path)
        held.write(b"mine")
    assert (mount.path / "config.json").read_bytes() == b"mine" + START["config.json"][4:]
    done = mount.run("commit", mount.path, check=False)
    assert done.returncode == 13 and "config.json" in done.stderr
    assert judge.published.git.blob("config.json") == b"theirs\n"


@pytest.mark.parametrize("command", ["pull", "commit"])
def test_a_folder_made_on_both_sides_has_the_files_of_both(judge, command):
    (judge.mount.path / "new/deep").mkdir(parents=True)
    (judge.mount.path / "new/mine.txt").write_bytes(b"mine\n")
    judge.published.commit({"new/theirs.txt": b"theirs\n", "new/deep/theirs.txt": b"theirs\n"})
    judge.mount.run(command, judge.mount.path)
    for _ in range(2):
        assert sorted(os.listdir(judge.mount.path / "new")) == ["deep", "mine.txt", "theirs.txt"]
        assert (judge.mount.path / "new/deep/theirs.txt").read_bytes() == b"theirs\n"
        judge.mount.run("umount", judge.mount.path)
        assert judge.mount.wait() == 0
        judge.mount.restart()


def test_a_file_in_a_renamed_folder_follows_others(judge):
    os.rename(judge.mount.path / "run", judge.mount.path / "moved")
    os.chmod(judge.mount.path / "moved/a.txt", 0o600)
    judge.commit()
    judge.published.commit({"moved/a.txt": b"theirs\n"})
    judge.mount.run("pull", judge.mount.path)
    assert (judge.mount.path / "moved/a.txt").read_bytes() == b"theirs\n"
    judge.commit()
    assert judge.published.git.blob("moved/a.txt") == b"theirs\n"


def test_the_same_edit_on_both_sides_leaves_the_file_what_it_is(judge):
    with open(judge.mount.path / "config.json", "r+b") as held:
        held.truncate(0)
        held.write(b"same\n")
    os.chmod(judge.mount.path / "config.json", 0o600)
    (judge.mount.path / "new.txt").write_bytes(b"new\n")
    before = (judge.mount.path / "config.json").stat()
    judge.published.commit({"config.json": b"same\n"})
    judge.commit()
    after = (judge.mount.path / "config.json").stat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)


def test_a_file_takes_the_place_of_a_folder_in_a_folder_that_was_replaced(judge):
    def script(root):
        os.rename(root / "run", root / "moved")
        (root / "run").mkdir()
        os.rename(root / "config.json", root / "run/deep")

    judge.edit(script)
    judge.commit()
    judge.check()


def test_a_pull_shows_all_of_many_changes_when_it_ends(judge):
    names = [f"many/{number}.txt" for number in range(1500)]
    judge.published.commit({name: b"old\n" for name in names})
    judge.mount.run("pull", judge.mount.path)
    assert all((judge.mount.path / name).read_bytes() == b"old\n" for name in names)
    judge.published.commit({name: b"newer\n" for name in names})
    judge.mount.run("pull", judge.mount.path)
    # Those first that the kernel is told of last.
    assert [name for name in reversed(names) if size(judge, name) != 6] == []


def test_what_a_cut_off_commit_left_out_can_be_edited_and_committed(hub, judge):
    """The commit is made, and the daemon dies before it has seen so."""
    (judge.mount.path / "back\\slash").write_bytes(b"1\n")
    (judge.mount.path / "config.json").write_bytes(b"mine\n")
    hub.add_fault("--stall", "--to", "paths-info")
    commit = subprocess.Popen(
        [mounting.binary(), "commit", judge.mount.path], env=judge.mount.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while judge.published.head == judge.base and time.monotonic() < deadline:
        time.sleep(0.02)
    judge.mount.kill()
    commit.wait(timeout=30)
    hub.clear_faults()
    judge.mount.restart()
    for edit in (b"2\n", b"3\n"):
        (judge.mount.path / "back\\slash").write_bytes(edit)
        assert judge.mount.run("commit", judge.mount.path, check=False).returncode == 14
        assert (judge.mount.path / "back\\slash").read_bytes() == edit
    assert len(judge.new_commits()) == 1


def size(judge: Judge, name: str) -> int:
    return (judge.mount.path / name).stat().st_size


def long_folder(root) -> str:
    """A place in which a name has room, and one in a directory there has not."""
    path = "/".join(letter * 247 for letter in "wxyz")
    (root / path).mkdir(parents=True)
    return path + "/r"


def test_what_has_no_room_at_the_hub_stays_in_its_renamed_folder(judge):
    place = long_folder(judge.mount.path)
    os.rename(judge.mount.path / "run", judge.mount.path / place)
    for number in range(2):
        done = judge.mount.run("commit", judge.mount.path, check=False)
        assert done.returncode == 14 and "longer than 1000 characters" in done.stderr
        assert {path for path in judge.published.git.tree() if path.endswith(".txt")} == {
            "other/d.txt", f"{place}/a.txt"}  # fmt: skip
        folder = judge.mount.path / place
        assert (folder / "a.txt").read_bytes() == START["run/a.txt"]
        assert (folder / "deep/b.txt").read_bytes() == START["run/deep/b.txt"]
        assert (folder / "deep/c.bin").read_bytes() == START["run/deep/c.bin"]
        judge.mount.run("umount", judge.mount.path, check=False)
        assert judge.mount.wait() == 14
        judge.mount.restart()
    os.rename(judge.mount.path / place, judge.mount.path / "run")
    judge.commit()
    assert judge.published.git.blob("run/deep/b.txt") == START["run/deep/b.txt"]
    assert f"{place}/a.txt" not in judge.published.git.tree()


def test_a_renamed_folder_goes_with_what_gitignore_names(judge):
    judge.published.commit({".gitignore": b"moved/\n"})
    judge.mount.run("pull", judge.mount.path)
    os.rename(judge.mount.path / "run", judge.mount.path / "moved")
    (judge.mount.path / "moved/new.txt").write_bytes(b"new\n")
    judge.commit()
    for _ in range(2):
        for path in ("a.txt", "deep/b.txt", "deep/c.bin"):
            assert (judge.mount.path / "moved" / path).read_bytes() == START[f"run/{path}"]
            assert f"moved/{path}" in judge.published.git.tree()
        assert (judge.mount.path / "moved/new.txt").read_bytes() == b"new\n"
        assert "moved/new.txt" not in judge.published.git.tree()
        judge.mount.run("umount", judge.mount.path)
        assert judge.mount.wait() == 0
        judge.mount.restart()


def test_who_did_the_same_and_more_did_not_make_our_commit(judge):
    assert (judge.mount.path / "config.json").read_bytes() == START["config.json"]
    (judge.mount.path / "run/a.txt").unlink()
    publish(judge, CommitOperationDelete("run/a.txt"),
            CommitOperationAdd("config.json", b"theirs\n"))  # fmt: skip
    judge.commit()
    assert (judge.mount.path / "config.json").read_bytes() == b"theirs\n"
    with (judge.mount.path / "config.json").open("ab") as file:
        file.write(b"mine\n")
    judge.commit()
    assert judge.published.git.blob("config.json") == b"theirs\nmine\n"


@pytest.mark.parametrize("is_known", [False, True])
def test_a_folder_that_both_sides_have_emptied_has_nothing_of_theirs(judge, is_known):
    if is_known:
        os.chmod(judge.mount.path / "run/deep/b.txt", 0o600)
    assert (judge.mount.path / "run/deep/b.txt").read_bytes() == START["run/deep/b.txt"]
    (judge.mount.path / "run/a.txt").unlink()
    (judge.mount.path / "run/mine").mkdir()
    (judge.mount.path / "other/new.txt").write_bytes(b"new\n")
    publish(judge, CommitOperationDelete("run/deep/b.txt"), CommitOperationDelete("run/deep/c.bin"))
    judge.commit()
    for _ in range(2):
        assert [path for path in (judge.mount.path / "run").rglob("*") if path.is_file()] == []
        assert (judge.mount.path / "run/mine").is_dir()
        judge.mount.run("umount", judge.mount.path)
        assert judge.mount.wait() == 0
        assert not [path for path in judge.published.git.tree() if path.startswith("run")]
        judge.mount.restart()


def publish(judge: Judge, *operations) -> None:
    judge.published.api.create_commit(
        judge.published.id, list(operations), commit_message="foreign"
    )


def test_a_directory_that_others_have_emptied_and_we_have_filled_again(judge):
    def refill(root) -> None:
        (root / "run/deep/b.txt").unlink()
        (root / "run/deep/c.bin").unlink()
        (root / "run/deep/new.txt").write_bytes(b"new\n")

    judge.edit(refill)
    operations = [CommitOperationDelete(f"run/deep/{name}") for name in ("b.txt", "c.bin")]
    judge.published.api.create_commit(
        judge.published.id, operations, commit_message="emptied by others"
    )
    judge.commit()
    judge.check(2)
    (judge.mount.path / "run/deep/late.txt").write_bytes(b"late\n")
    discard(judge, "run/deep")
    judge.check(0)
