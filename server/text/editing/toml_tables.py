"""A table of a TOML file: put in, replaced or taken out by the range of its lines. Pure.

Whatever else is in the file keeps every character. What it says is read by `tomllib`, before and after.
"""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, cast

BOM = "\ufeff"
BARE = re.compile(r"[A-Za-z0-9_-]+")
STRING = r'''"""(?:\\.|"{0,2}[^"\\])*"{3,5}|\'\'\'(?:'{0,2}[^'])*'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*\''''
KEY_PART = re.compile(
    r"[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|(?P<quoted>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'))[ \t]*", re.DOTALL
)
VALUE_PART = re.compile(
    rf"(?P<string>{STRING})|(?P<comment>#[^\n]*)|(?P<open>[\[{{])|(?P<close>[\]}}])|(?P<comma>,)|(?P<line>\n)|[^\"'#\[\]{{}},\n]+",
    re.DOTALL,
)
GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")  # between statements, and between what stands in brackets

Path = tuple[str, ...]


class BadToml(ValueError):
    """It is no TOML, or not edited safely; the message says why, for people."""


@dataclass(frozen=True)
class Statement:
    """A header, or a key with its value: the table or key that it is about, and its lines."""

    path: Path
    start: int
    end: int
    is_header: bool
    value: tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """A key and its value in an inline table; `comma` is where the comma behind it ends."""

    path: Path
    start: int
    value: tuple[int, int]
    comma: int | None


def read(text: str) -> dict[str, Any]:
    """Return what a file says."""
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        raise BadToml(f"it is no TOML: {error}") from error
    except RecursionError as error:
        raise BadToml("it is too deep") from error


def with_member(text: str, path: Sequence[str], value: Mapping[str, object]) -> str:
    """Return a file with a table at `path`, in place of the one that it had: at its end, if it had none."""
    read(text)
    wanted, statements = tuple(path), list(_statements(text))
    if holder := _inline_holder(text, statements, wanted):
        return _with_pair(text, holder, wanted, value)
    own = [statement for statement in statements if statement.path[: len(wanted)] == wanted]
    eol = "\r\n" if "\r\n" in text else "\n"
    if own and own[0].is_header:
        first = _run(statements, own[0])
        text = _without(text, [one for one in own if one.start >= first[1]])
        end = eol if text[: first[1]].endswith("\n") else ""
        return text[: first[0]] + _table(wanted, value, eol) + end + text[first[1] :]
    text = _without(text, own)
    begun = text.removeprefix(BOM)
    if not begun.strip() and not begun.endswith("\n"):
        return f"{text}{_table(wanted, value, eol)}{eol}"
    gap, end = (eol, eol) if begun.endswith("\n") else (eol + eol, "")
    return f"{text}{gap}{_table(wanted, value, eol)}{end}"


def without_member(text: str, path: Sequence[str]) -> str:
    """Return a file without the table at `path`, however it is written."""
    read(text)
    wanted, statements = tuple(path), list(_statements(text))
    if (holder := _inline_holder(text, statements, wanted)) and holder.path != wanted:
        return _without_pair(text, holder, wanted)
    return _without(text, [one for one in statements if one.path[: len(wanted)] == wanted])


def key(text: str) -> str:
    """Return a key as TOML."""
    return text if BARE.fullmatch(text) else value(text)


def value(found: object) -> str:
    """Return a value as TOML, on one line."""
    match found:
        case dict():
            pairs = cast(dict[str, object], found).items()
            return f"{{ {', '.join(f'{key(name)} = {value(each)}' for name, each in pairs)} }}" if found else "{}"
        case list():
            return f"[{', '.join(map(value, cast(list[object], found)))}]"
        case datetime() | date() | time():
            return found.isoformat()
        case float() if not math.isfinite(found):
            return str(found)
        case _:
            return json.dumps(found, ensure_ascii=False).replace("\x7f", "\\u007f")


def _table(path: Path, found: Mapping[str, object], eol: str) -> str:
    """Return a table with its own header, and those in it with theirs, without the end of the last line."""
    plain = {name: each for name, each in found.items() if not isinstance(each, dict)}
    lines = [f"[{'.'.join(map(key, path))}]", *(f"{key(name)} = {value(each)}" for name, each in plain.items())]
    tables = [_table((*path, name), cast(dict[str, object], found[name]), eol) for name in found if name not in plain]
    return (eol + eol).join([eol.join(lines), *tables])


def _statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a text that `tomllib` takes."""
    at, table = len(BOM) if text.startswith(BOM) else 0, Path()
    while (at := _gap(text, at)) < len(text):
        start = text.rfind("\n", 0, at) + 1 or (len(BOM) if text.startswith(BOM) else 0)
        if text[at] == "[":
            opened = 2 if text.startswith("[[", at) else 1
            table, closed = _keys(text, at + opened)
            end = _line_end(text, closed + opened)
            yield Statement(table, start, end, True, (closed, closed))
        else:
            path, equals = _keys(text, at)
            begin = _blanks(text, equals + 1)
            stop = _value_end(text, begin)
            end = _line_end(text, stop)
            yield Statement((*table, *path), start, end, False, (begin, stop))
        at = end


def _gap(text: str, at: int) -> int:
    found = GAP.match(text, at)
    return found.end() if found else at


def _blanks(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    return at


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def _keys(text: str, at: int) -> tuple[Path, int]:
    """Return a key with dots, by its parts, and what stands behind it."""
    parts = list[str]()
    while found := KEY_PART.match(text, at):
        parts.append(found["bare"] or next(iter(tomllib.loads(f"{found['quoted']} = 0"))))
        at = found.end()
        if text[at : at + 1] != ".":
            return tuple(parts), at
        at += 1
    raise BadToml(f"it has no key in line {text.count(chr(10), 0, at) + 1}")


def _value_end(text: str, at: int) -> int:
    """Return where a value ends: at a comma, a bracket that closes, a comment or a line end that are not part of it."""
    depth, last = 0, at
    while found := VALUE_PART.match(text, at):
        kind = found.lastgroup
        if depth == 0 and kind in ("close", "comma", "comment", "line"):
            break
        depth += (kind == "open") - (kind == "close")
        at = found.end()
        last = at if kind else at - (len(found[0]) - len(found[0].rstrip()))
    return last


def _run(statements: Sequence[Statement], first: Statement) -> tuple[int, int]:
    """Return the lines of a header and all that is about its table without a break."""
    end = first.end
    for statement in statements[statements.index(first) :]:
        if statement.path[: len(first.path)] != first.path:
            break
        end = statement.end
    return first.start, end


def _without(text: str, gone: Sequence[Statement]) -> str:
    """Return a text without the lines of statements; those that follow one another go with what is between them."""
    for start, end in reversed(_ranges(text, gone)):
        text = _cut(text, start, end)
    return text


def _ranges(text: str, gone: Sequence[Statement]) -> list[tuple[int, int]]:
    ranges = list[tuple[int, int]]()
    for one in gone:
        if ranges and not text[ranges[-1][1] : one.start].strip():
            ranges[-1] = (ranges[-1][0], one.end)
        else:
            ranges.append((one.start, one.end))
    return ranges


def _cut(text: str, start: int, end: int) -> str:
    """Return a text without some lines, and without the empty one above them, that set them apart."""
    before, after = text[:start], text[end:]
    if not before.removeprefix(BOM):
        return before + re.sub(r"\A\r?\n", "", after)
    if text[start:end].endswith("\n"):
        above = re.search(r"(?<=\n)\r?\n\Z", before)
        return before[: above.start()] + after if above else before + after
    return re.sub(r"(\r?\n){1,2}\Z", "", before) + after


def _inline_holder(text: str, statements: Sequence[Statement], wanted: Path) -> Statement | None:
    """Return the key whose value is an inline table, and is what is wanted or holds it."""
    for one in statements:
        if not one.is_header and one.path == wanted[: len(one.path)] and text[one.value[0]] == "{":
            return one
    return None


def _pairs(text: str, start: int) -> Iterator[Pair]:
    """Yield what an inline table that begins at `start` has in it."""
    at = _gap(text, start + 1)
    while text[at] != "}":
        path, equals = _keys(text, at)
        begin = _gap(text, equals + 1)
        stop = _value_end(text, begin)
        follows = _gap(text, stop)
        comma = follows + 1 if text[follows] == "," else None
        yield Pair(path, at, (begin, stop), comma)
        at = _gap(text, comma) if comma else follows


def _with_pair(text: str, holder: Statement, wanted: Path, new: object) -> str:
    start, end = holder.value
    rest = wanted[len(holder.path) :]
    if not rest:
        return text[:start] + value(new) + text[end:]
    pairs = list(_pairs(text, start))
    if own := _own(pairs, rest):
        if own[0].path == rest and len(own) == 1:
            return text[: own[0].value[0]] + value(new) + text[own[0].value[1] :]
        raise BadToml(f"{'.'.join(wanted)} stands in it in several pieces")
    shown = f"{'.'.join(map(key, rest))} = {value(new)}"
    if not pairs:
        return f"{text[:start]}{{ {shown} }}{text[end:]}"
    last = pairs[-1]
    at = last.comma or last.value[1]
    return f"{text[:at]}{'' if last.comma else ','} {shown}{text[at:]}"


def _without_pair(text: str, holder: Statement, wanted: Path) -> str:
    pairs = list(_pairs(text, holder.value[0]))
    rest = wanted[len(holder.path) :]
    for one in reversed(_own(pairs, rest)):
        place = pairs.index(one)
        if one.comma:
            text = text[: one.start] + text[_blanks(text, one.comma) :]
        elif place:
            text = text[: (pairs[place - 1].comma or 0) - 1] + text[one.value[1] :]
        else:
            text = text[: holder.value[0] + 1] + text[_gap(text, one.value[1]) :]
    return text


def _own(pairs: Sequence[Pair], rest: Path) -> list[Pair]:
    """Return what is about a table: it, or a part of it by a key with dots. A holder in between is not looked into."""
    if any(one.path == rest[: len(one.path)] and len(one.path) < len(rest) for one in pairs):
        raise BadToml(f"{rest[0]} is an inline table in another")
    return [one for one in pairs if one.path[: len(rest)] == rest]
