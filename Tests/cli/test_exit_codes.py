"""docs/ERRORS.md tells the exit codes: so does the program, and so do these tests."""

from __future__ import annotations

import re
from pathlib import Path

import program

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_table_of_exit_codes_is_whole(hubfs):
    section = (REPOSITORY / "docs/ERRORS.md").read_text().split("## Exit codes")[1]
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    source = (REPOSITORY / "Sources/hubfs/ExitCode.swift").read_text()
    known = [int(code) for code in re.findall(r"case \w+ = (\d+)", source)]
    assert documented == known == list(range(len(known)))
    told = hubfs.succeed("--help").split("Exit codes:")[1].split(".\n")[0]
    assert [int(code) for code in re.findall(r"\d+", told)] == known
    tested = {value for name, value in vars(program).items() if name.isupper() and type(value) is int}
    assert set(known) - {0} <= tested
