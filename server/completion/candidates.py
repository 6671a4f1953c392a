"""What may follow on a command line that is being typed: asked by the scripts of `completion`, at each press of a key.

Tools, actions and parameters come from the catalog as it is written down, so nothing of the tools is imported; what
commands there are only the command line knows, which is imported when one of them is typed, or its options.
"""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from server.settings import ASSETS, SETTINGS

CATALOG = ASSETS / "catalog"
PREFIX = "memory_"
OF_CALL = ("--json", "--list", "--help")
BOTH = ("true", "false")


@dataclass(frozen=True)
class Candidate:
    """A word that may stand there, and what it is about."""

    word: str
    about: str = ""


OfCommand = Callable[[Sequence[str], str], Iterable[Candidate]]


def complete(line: str, of_command: OfCommand) -> int:
    """Print what may stand at the end of a line, a candidate a line, what it is about behind a tab."""
    for found in candidates(line, of_command):
        sys.stdout.write(f"{found.word}\t{' '.join(found.about.split())}\n" if found.about else f"{found.word}\n")
    return 0


def candidates(line: str, of_command: OfCommand) -> list[Candidate]:
    """Return what may stand at the end of a line, which begins with the program; nothing where a file may.

    `of_command` says it behind the words of any command but `call`.
    """
    *before, typed = _words(line)
    if not before:
        return []
    wanted = next((setting for setting in SETTINGS if setting.flag == before[-1] and not setting.flag_only), None)
    if wanted:
        return _begun(typed, map(Candidate, wanted.choices))
    words = list(_without_settings(before[1:]))
    found = _of_call(words[1:], typed) if words[:1] == ["call"] else of_command(words, typed)
    return _begun(typed, [*found, *(_settings() if typed.startswith("-") else ())])


def _begun(typed: str, found: Iterable[Candidate]) -> list[Candidate]:
    return [one for one in found if one.word.startswith(typed)]


def _words(line: str) -> list[str]:
    """Return the words of a line, the one that is being typed last; a quote may still be open."""
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return words if closing or (line and not line[-1].isspace()) else [*words, ""]
    return [""]


def _without_settings(words: Sequence[str]) -> Iterator[str]:
    """Yield words but for the settings, which may stand anywhere."""
    takes = {setting.flag: not setting.flag_only for setting in SETTINGS}
    is_value = False
    for word in words:
        name, is_pair, _ = word.partition("=")
        if not is_value and name not in takes:
            yield word
        is_value = not is_value and takes.get(name, False) and not is_pair


def _settings() -> Iterator[Candidate]:
    yield from (Candidate(setting.flag, setting.meaning) for setting in SETTINGS)


def _of_call(words: Sequence[str], typed: str) -> Iterator[Candidate]:
    """Yield tools, then actions, then parameters that are not there yet, then their values."""
    options = [word for word in words if word.startswith("-")]
    names = [word for word in words if not word.startswith("-")]
    if typed.startswith("-"):
        yield from (Candidate(option) for option in OF_CALL if option not in options)
    elif not names:
        yield from _tools(typed)
    elif tool := _tool(names[0]):
        if len(names) == 1:
            yield from (Candidate(one["name"], one["summary"]) for one in tool["actions"])
        elif action := next((one for one in tool["actions"] if names[1] in (one["name"], *one["aliases"])), None):
            yield from _parameters(tool, action, names[2:], typed)


def _tools(typed: str) -> Iterator[Candidate]:
    for path in sorted(CATALOG.glob(f"{PREFIX}*.json")):
        name = path.stem if typed.startswith(PREFIX) else path.stem.removeprefix(PREFIX)
        yield Candidate(name, json.loads(path.read_bytes())["title"])


def _tool(name: str) -> dict[str, Any] | None:
    path = CATALOG / f"{PREFIX}{name.removeprefix(PREFIX)}.json"
    return json.loads(path.read_bytes()) if name.replace("_", "").isalnum() and path.is_file() else None


def _parameters(tool: dict[str, Any], action: dict[str, Any], given: Sequence[str], typed: str) -> Iterator[Candidate]:
    name, is_pair, _ = typed.partition("=")
    params: list[dict[str, Any]] = action["params"]
    if is_pair:
        wanted = next((param for param in params if param["name"] == name), None)
        for value in _values(tool, action, wanted) if wanted else ():
            yield Candidate(f"{name}={value}")
        return
    there = {word.partition("=")[0] for word in given}
    for param in params:
        if param["name"] not in there or param["type"] == "array":
            yield Candidate(f"{param['name']}=", param.get("description", param["type"]))


def _values(tool: dict[str, Any], action: dict[str, Any], param: dict[str, Any]) -> Sequence[str]:
    if (action["name"], param["name"]) == ("help", "topic"):
        return [one["name"] for one in tool["actions"]]
    if param["type"] == "boolean":
        return BOTH
    return [str(value) for value in param.get("enum", param.get("items", {}).get("enum", ()))]
