"""Every option of every command, as the parser tells them, has a variable and a key of configuration files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import mounting
import program
import pytest


def commands(command: dict, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], list[dict]]:
    """The commands that do something, with their options, as the parser tells."""
    children = [child for child in command.get("subcommands", []) if child["commandName"] != "help"]
    found = {}
    for child in children:
        found |= commands(child, (*words, child["commandName"]))
    if not children:
        found[words] = [
            argument
            for argument in command["arguments"]
            if argument["kind"] != "positional"
            and argument["preferredName"]["name"] not in ("help", "version")
        ]
    return found


@pytest.mark.timeout(400)
def test_every_option_has_a_variable_and_a_key(hubfs):
    everything = commands(json.loads(hubfs.succeed("--experimental-dump-help"))["command"])
    assert ("mount",) in everything and ("cache", "prune") in everything
    kinds: dict[str, set[str]] = {}
    for options in everything.values():
        for option in options:
            kinds.setdefault(option["preferredName"]["name"], set()).add(option["kind"])
    listed = {
        (option["option"], tuple(command.split()))
        for option in hubfs.json("config", "show")["options"]
        for command in option["commands"]
    }
    cases = []
    for words, options in everything.items():
        for option in options:
            name = option["preferredName"]["name"]
            assert (name, words) in listed
            if len(kinds[name]) > 1:
                continue
            is_flag = option["kind"] == "flag"
            key = hubfs.folder / f"{'-'.join(words)}.{name}.toml"
            key.write_text(f"{name} = {'1' if is_flag else 'true'}\n")
            # What does not fit its kind is complained of by each command that looks at the key.
            cases.append((words, {"HUBFS_CONFIG": str(key)}, f"{key}:1: '{name}' "))
            variable = "HUBFS_" + name.replace("-", "_").upper()
            if is_flag:
                cases.append((words, {variable: "maybe"}, f"{variable}: 'maybe' is neither"))

    def complains(case) -> bool:
        words, environment, sentence = case
        done = hubfs.run_as([mounting.binary(), *words], environment)
        return done.returncode == program.USAGE and sentence in done.stderr

    with ThreadPoolExecutor(4) as pool:
        silent = [case for case, said in zip(cases, pool.map(complains, cases)) if not said]
    assert silent == []
    assert len(cases) > 200


def test_the_variables_of_hubfs_itself_are_those_of_no_option(hubfs):
    names = {option["variable"] for option in hubfs.json("config", "show")["options"]}
    assert not names & {"HUBFS_CACHE", "HUBFS_CONFIG", "HUBFS_CONTROL", "HUBFS_CRASH_AT"}
