"""Nested values as people write them: a name, a colon and a value a line, what belongs to a name indented below it.

    codes: 10 signs
    tills:
      - harbour
      - station
    limits:
      a day: 50

A value that reads as a number, true, false or null is one; in quotes it is a text, as it has to be in a list if it
has a colon: entries of several names stand below a dash alone. What cannot be written so is JSON.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

STEP = 2  # spaces that what belongs to a name stands further to the right
DASH = "- "


def written(value: Mapping[str, object]) -> str | None:
    """Return a value as an outline, or None if that would not be read as the same."""
    text = "\n".join(_lines(value, 0))
    try:
        return text if read(text) == value and json.dumps(read(text)) == json.dumps(value) else None
    except ValueError:
        return None


def _lines(value: object, depth: int) -> list[str]:
    margin = " " * depth
    if isinstance(value, Mapping):
        found: list[str] = []
        for name, one in cast(Mapping[str, object], value).items():
            found += _entry(f"{margin}{name}:", one, depth)
        return found
    return [line for one in cast(Sequence[object], value) for line in _entry(f"{margin}-", one, depth)]


def _entry(begin: str, value: Any, depth: int) -> list[str]:
    if isinstance(value, Mapping | list) and value:
        return [begin, *_lines(cast(object, value), depth + STEP)]
    is_plain = isinstance(value, str) and value.isprintable() and _value(value) == value
    if is_plain and not (begin.endswith(DASH.strip()) and ":" in value):
        return [f"{begin} {value}"]
    return [f"{begin} {json.dumps(value, ensure_ascii=False)}"]


def _value(text: str) -> object:
    """Return what a text means: a number, a truth, a quoted text, or itself."""
    try:
        return cast(object, json.loads(text))
    except (ValueError, RecursionError):
        return text.strip()


def read(text: str) -> dict[str, object]:
    """Return what an outline says; raise ValueError if it is none."""
    rows = [(len(line) - len(line.lstrip(" ")), line.strip()) for line in text.split("\n") if line.strip()]
    try:
        found, rest = _block(rows, 0)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if rest or not isinstance(found, dict):
        raise ValueError("no outline")
    return cast(dict[str, object], found)


def _block(rows: Sequence[tuple[int, str]], depth: int) -> tuple[object, Sequence[tuple[int, str]]]:
    """Return what the rows at a depth say, with all that belongs to them, and the rows behind them."""
    is_list = bool(rows) and (rows[0][1].startswith(DASH) or rows[0][1] == DASH.strip())
    entries: list[tuple[str, object]] = []
    while rows and rows[0][0] == depth:
        name, value = _split(rows[0][1], is_list=is_list)
        rows = rows[1:]
        if not value and rows and rows[0][0] > depth:
            inner, rows = _block(rows, rows[0][0])
            entries.append((name, inner))
        else:
            entries.append((name, _value(value)))
    if rows and rows[0][0] > depth:
        raise ValueError("indented below nothing")
    if is_list:
        return [one for _, one in entries], rows
    if len(dict(entries)) < len(entries):
        raise ValueError("a name stands twice")
    return dict(entries), rows


def _split(line: str, *, is_list: bool) -> tuple[str, str]:
    if is_list:
        if not (line.startswith(DASH) or line == DASH.strip()):
            raise ValueError("among the lines of a list")
        value = line[len(DASH) :].strip()
        if ":" in value and not value.startswith('"'):
            raise ValueError("it might mean a text, or a name with its value")
        return "", value
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError("no name and colon")
    return name.strip(), value.strip()
