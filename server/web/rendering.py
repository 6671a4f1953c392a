"""Templates, and how values look in them. Everything is escaped; what an agent wrote is never markup."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from server.models.base import encode
from server.text.display import shown, size

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
TIMES = ("_at", "_seen", "since", "timestamp", "from")  # how names of times end
GONE = "entity_id"  # what a log or the trash names may be there no more
HEADINGS = {"timestamp": "when", "entity_id": "about", "event_id": "number", "last_seen_at": "last heard of"}
BELOW = 2  # levels that headings of texts stand below those of pages, of which h1 is the title
MOST_MARKDOWN = 200_000  # characters that are read as Markdown; what is longer is shown as it is


def page(name: str, /, **values: Any) -> str:
    """Return a page made from a template."""
    return environment().get_template(name).render(**values)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates", encoding="utf-8"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    cast(dict[str, Any], made.filters).update(
        ago=ago, md=markdown, label=label, heading=heading, fit=fit, query=query, cell=cell, json=encode, amount=amount
    )
    cast(dict[str, Any], made.globals)["url"] = path_of
    return made


def _visible(value: object) -> object:
    """Return a value as a page shows it: nothing in it is hidden or turns the text around it."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def visible(text: str) -> str:
    if text.isprintable():
        return shown(text)
    return "\n".join(shown(line) for line in text.replace("\r\n", "\n").split("\n"))


def ago(moment: object) -> object:
    """Return how far a moment is from now, with the exact one on hover; what is no moment stays as it is."""
    try:
        then = datetime.fromisoformat(str(moment))
    except ValueError:
        return moment
    seconds = (datetime.now(UTC) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()
    template = '<time datetime="{0}" title="{0}">{1}</time>'
    return Markup(template).format(str(moment), _distance(seconds))


def _distance(seconds: float) -> str:
    size = abs(seconds)
    for unit, name in UNITS:
        if size >= unit:
            number = f"{int(size // unit)} {name}"
            return f"{number} ago" if seconds > 0 else f"in {number}"
    return "just now" if seconds >= 0 else "in a moment"


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def markdown(text: object) -> Markup:
    """Return Markdown as HTML: no HTML of its own, no pictures, and links that say that they lead away."""
    written = visible(str(text or ""))
    if len(written) > MOST_MARKDOWN:
        return Markup("<pre>{}</pre>").format(written)
    reader = _reader()
    tokens = reader.parse(written)
    for token in tokens:
        for part in token.children or ():
            if part.type == "link_open":
                part.attrSet("rel", "noopener noreferrer nofollow")
                part.attrSet("class", "away")
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + BELOW)}"
        if token.type in ("td_open", "th_open"):
            token.attrs.pop("style", None)
    return Markup('<div class="md">{}</div>').format(Markup(reader.renderer.render(tokens, reader.options, {})))


def label(name: object) -> str:
    """Return the name of a field, a type or a status as words."""
    return str(name).strip("_").replace("_", " ")


def heading(name: str) -> str:
    """Return the name of a column as words: what an id leads to is shown there by its title."""
    return HEADINGS.get(name) or label(name.removesuffix("_id"))


def fit(text: object, width: int) -> str:
    """Return as much of a text as has room in a drawing, in which letters of East Asia are twice as wide as others."""
    taken, written = 0, str(text)
    for place, sign in enumerate(written):
        taken += 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        if taken > width:
            return f"{written[: max(0, place - 1)].rstrip()}…"
    return written


def amount(number: float | str) -> str:
    """Return a number with its thousands apart; of what was not counted to its end it is a text, `10000+`."""
    if isinstance(number, str):
        return f"{int(number.rstrip('+')):,}+"
    return f"{int(number):,}" if number == int(number) else f"{number:,}"


def path_of(*parts: object) -> str:
    """Return a path of this server whose parts may hold anything."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def query(fields: Mapping[str, object]) -> str:
    """Return what stands behind the question mark of an address; what says nothing is left out."""
    return urlencode({name: str(value) for name, value in fields.items() if value})


def _number(value: int, name: str) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return size(value) if name.endswith("bytes") else value


def cell(value: object, name: str = "") -> object:
    """Return a value of a row by what its name says that it is: a time, a thing with an id, or plain text."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and name.endswith(TIMES):
        return ago(value)
    if isinstance(value, str) and name.endswith("_id") and name != GONE:
        return Markup('<a class="id" href="{}">{}</a>').format(path_of("e", value), visible(value))
    if isinstance(value, int):
        return _number(value, name)
    if isinstance(value, float):
        return amount(value)
    return _words(value)


def _words(value: object) -> object:
    """Return what is nested as words, as far as it is flat: names with their values, or values alone."""
    if isinstance(value, list):
        rows = cast(list[object], value)
        return ", ".join(map(str, rows)) if all(isinstance(one, str | int) for one in rows) else encode(rows)
    if isinstance(value, Mapping):
        parts = cast(Mapping[str, object], value)
        return "; ".join(f"{label(name)}: {_words(one)}" for name, one in parts.items() if one not in (None, [], {}))
    return value
