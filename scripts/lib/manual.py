"""Manual pages of a command, from what it tells of itself: `hubfs --experimental-dump-help`.

usage: manual.py FOLDER DATE < dump.json      writes FOLDER/hubfs.1 and FOLDER/hubfs-COMMAND.1

Source of the format: man 7 groff_man; of the dump: ToolInfo of swift-argument-parser.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def escaped(text: str) -> str:
    """Text that groff shows as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def prose(text: str) -> list[str]:
    """Paragraphs, and as they stand those lines that begin with two blanks."""
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith("  "):
            lines += [".PP", ".RS 4", ".nf", escaped(paragraph), ".fi", ".RE"]
        else:
            lines += [".PP", escaped(paragraph)]
    return lines


def spelling(name: dict) -> str:
    dashes = {"long": "--", "short": "-", "longWithSingleDash": "-"}[name["kind"]]
    return dashes + name["name"]


def shown(arguments: list[dict] | None) -> list[dict]:
    return [argument for argument in arguments or [] if argument["shouldDisplay"]]


def value(argument: dict) -> str:
    return f"\\fI{escaped(argument.get('valueName', 'value'))}\\fR"


def positional(argument: dict) -> str:
    text = value(argument) + ("..." if argument["isRepeating"] else "")
    if argument["parsingStrategy"] == "postTerminator":
        return f"\\fB\\-\\-\\fR {text}"
    return f"[{text}]" if argument["isOptional"] else text


def synopsis(words: str, command: dict) -> list[str]:
    arguments = shown(command.get("arguments"))
    parts = ["[\\fIoptions\\fR]"]
    parts += [positional(each) for each in arguments if each["kind"] == "positional"]
    if command.get("subcommands"):
        parts = ["\\fIcommand\\fR", *parts]
    return [f"\\fB{escaped(words)}\\fR {' '.join(parts)}"]


def options(command: dict) -> list[str]:
    """Every argument with its help, by its section."""
    lines: list[str] = []
    section = ""
    for argument in shown(command.get("arguments")):
        if argument.get("sectionTitle") != section:
            section = argument.get("sectionTitle")
            lines.append(f".SS {escaped(section or 'Arguments and options')}")
        if argument["kind"] == "positional":
            head = value(argument)
        else:
            head = ", ".join(f"\\fB{escaped(spelling(name))}\\fR" for name in argument["names"])
            if argument["kind"] == "option":
                head += " " + value(argument)
        text = " ".join(argument.get(part, "") for part in ("abstract", "discussion"))
        lines += [".TP", head, escaped(" ".join(text.split()))]
    return lines


def described(command: dict) -> list[str]:
    lines = [*prose(command["discussion"])] if command.get("discussion") else []
    return lines + options(command)


def page(words: str, command: dict, date: str, see: list[str]) -> str:
    name = words.replace(" ", "-")
    lines = [
        f'.TH "{escaped(name.upper())}" 1 "{date}" "hubfs"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(command['abstract'].rstrip('.'))}",
        ".SH SYNOPSIS",
        *synopsis(words, command),
        ".SH DESCRIPTION",
        escaped(command["abstract"]),
        *described(command),
    ]
    # The commands of hubfs have pages of their own; theirs have sections.
    if words == "hubfs":
        lines.append(".SH COMMANDS")
        for each in visible(command):
            lines += [".TP", f"\\fBhubfs\\-{escaped(each['commandName'])}\\fR(1)"]
            lines.append(escaped(each["abstract"]))
    else:
        for each in visible(command):
            full = f"{words} {each['commandName']}"
            lines += [f".SH {escaped(full.upper())}", *synopsis(full, each), ".PP"]
            lines += [escaped(each["abstract"]), *described(each)]
    lines.append(".SH SEE ALSO")
    lines.append(" ,\n".join(f".BR {escaped(name)} ({part})" for name, part in see))
    return "\n".join(lines) + "\n"


def visible(command: dict) -> list[dict]:
    found = [each for each in command.get("subcommands") or [] if each["shouldDisplay"]]
    return [each for each in found if each["commandName"] != "help"]


def main() -> None:
    folder, date = Path(sys.argv[1]), sys.argv[2]
    command = json.load(sys.stdin)["command"]
    related = [("mount.hubfs", "8"), ("fusermount3", "1"), ("mount", "8")]
    (folder / "hubfs.1").write_text(page("hubfs", command, date, related))
    for each in visible(command):
        text = page(f"hubfs {each['commandName']}", each, date, [("hubfs", "1")])
        (folder / f"hubfs-{each['commandName']}.1").write_text(text)


main()
