"""Lines of Markdown: lists, quotations, fences and cells that hold whatever was stored."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]
Lines = Iterator[str]

FENCE = re.compile(r"`{3,}")


def titled(title: str, lines: Lines) -> Lines:
    """Yield lines below a heading; nothing if there are none."""
    for place, said in enumerate(lines):
        yield from ("", f"## {title}") if not place else ()
        yield said


def facts(row: Row, names: Iterable[str]) -> Lines:
    yield from (f"- {name.replace('_', ' ')}: {line(row[name])}" for name in names if row.get(name))


def prose(title: str, text: str | None) -> Lines:
    """Yield a text as a quotation, so that its headings are not taken for ours."""
    if text:
        quoted = (f"> {said}".rstrip() for said in text.splitlines())
        yield from ("", *([f"## {title}", ""] if title else []), *quoted)


def bullets(items: Iterable[Any], lead: str = "") -> Lines:
    """Yield a list, below the words that lead to it; nothing if it is empty."""
    for place, item in enumerate(items):
        if not place:
            yield from ("", f"{lead}:", "") if lead else ("",)
        text = item if isinstance(item, str) else code(json.dumps(item, ensure_ascii=False))
        yield f"- {indented(text, 2)}"


def data(title: str, text: str | None, level: int = 0) -> Lines:
    """Yield stored JSON in a form to read; an empty one is nothing."""
    if text and text not in ("{}", "[]", "null"):
        heading = f"{'#' * level} {title}" if level else f"{title}:"
        yield from ("", heading) if title else ()
        yield from fenced(readable(text), "json")


def readable(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except RecursionError:
        return text


def fenced(text: str, kind: str) -> Lines:
    longest = max((len(found) for found in FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    yield from ("", f"{fence}{kind}", text, fence)


def code(text: str) -> str:
    ticks = "`" * (max((len(found) for found in re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def line(value: object) -> str:
    return " ".join(str(value).split())


def cell(text: str) -> str:
    return re.sub(r"([\\|\[\]])", r"\\\1", line(text))


def indented(text: str, by: int) -> str:
    """Return text whose further lines still belong to the item of the list."""
    return text.strip().replace("\n", f"\n{' ' * by}")
