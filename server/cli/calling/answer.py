"""An answer as a person reads it, and how to go on where it was cut."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from server.cli.wording import in_terminal
from server.protocol.state import Told
from server.settings import Settings
from server.text.display import shown
from server.tools.commands import command

IN_MESSAGE = ("code", "message", "did_you_mean", "missing", "unknown", "invalid", "usage")
AGAIN = re.compile(r"\b(\w+=(?:true|false)) to do it")


def show(told: Told, words: Sequence[str], chosen: Settings, *, as_json: bool) -> None:
    """Print an answer: exactly as a client gets it, or for people."""
    if as_json:
        print(told.text)
        return
    found = json.loads(told.text)
    for line in [*lines(found), *_further(found, words, chosen)]:
        print(line)


def show_error(told: Told, words: Sequence[str], *, as_json: bool) -> None:
    """Print an error to stderr, what it names below it; the exact answer to stdout if that is wanted."""
    if as_json:
        print(told.text)
    error: dict[str, Any] = json.loads(told.text)["error"]
    print(f"project-memory: {shown(in_terminal(error['message'], *words[:1]))}", file=sys.stderr)
    for line in lines({name: value for name, value in error.items() if name not in IN_MESSAGE}, "  "):
        print(line, file=sys.stderr)


def lines(value: object, indent: str = "") -> Iterator[str]:
    """Yield a JSON value as lines: names and values, what is inside of something indented below it."""
    if isinstance(value, dict):
        for name, item in cast(dict[str, Any], value).items():
            yield from _named(shown(str(name)), item, indent)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _item(item, indent)
    else:
        yield from (f"{indent}{line}" for line in _text(value))


def _named(name: str, item: object, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield f"{indent}{name}:"
        yield from lines(cast(object, item), f"{indent}  ")
        return
    first, *rest = _text(cast(object, item))
    if rest:
        yield f"{indent}{name}:"
        yield from (f"{indent}  {line}" for line in (first, *rest))
    else:
        yield f"{indent}{name}: {first}".rstrip()


def _item(item: object, indent: str) -> Iterator[str]:
    """Yield an item of a list, its first line marked."""
    inner = list(lines(item, f"{indent}  ")) or [f"{indent}  "]
    yield f"{indent}- {inner[0][len(indent) + 2 :]}"
    yield from inner[1:]


def _text(value: object) -> list[str]:
    if isinstance(value, str):
        return [shown(line) for line in value.split("\n")] if value else ['""']
    return [json.dumps(value, ensure_ascii=False)]


def _further(found: Mapping[str, Any], words: Sequence[str], chosen: Settings) -> Iterator[str]:
    """Yield how to do what was only shown, and how to see what was left out."""
    preview = found.get("preview")
    if isinstance(preview, dict):
        said = AGAIN.search(str(cast(dict[str, Any], preview).get("hint", "")))
        again = said[1] if said else "confirm=true"
        yield from ("", f"Nothing was changed yet. To do it: {_again(words, chosen, again)}")
    for name, wanted in (("next_cursor", "cursor"), ("next_offset", "offset")):
        if name in found:
            yield from ("", f"There is more: {_again(words, chosen, f'{wanted}={found[name]}')}")


def _again(words: Sequence[str], chosen: Settings, more: str) -> str:
    """Return the command once more, with another value."""
    name = more.partition("=")[0]
    return command(chosen, "call", *(word for word in words if not word.startswith(f"{name}=")), more)
