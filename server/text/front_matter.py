"""The front matter of a Markdown file, the lines between two `---`: what it says, and how it is written.

What ships is read as the few forms it keeps to; what people and other programs wrote is YAML.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

from server.text.editing import yaml

FENCE = "---"
LONGEST = 64 * 1024
MOST_VALUES = 10_000  # a few aliases of aliases stand for more values than there are atoms
# Texts that mean themselves without quotes, in a list too.
PLAIN = re.compile(r"[A-Za-z][\w./()+-]*(?: [\w./()+-]+)*")
WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
# Globs without quotes, which other programs write and YAML takes for something else.
BARE_GLOB = re.compile(r"^([ \t]*[\w-]+:[ \t]+)([*!{\[][^'\"\n]*\*[^'\"\n]*?|\*+)[ \t]*$", re.MULTILINE)


class BadFrontMatter(ValueError):
    """It is no YAML, or no mapping; the message says where and why, for people."""


def split(text: str) -> tuple[str | None, str]:
    """Return the front matter of a text, None if there is none, and the body.

    One that is never closed is no front matter.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    fences = [number for number, line in enumerate(lines) if line.rstrip() == FENCE][:2]
    if len(fences) < 2 or fences[0] != 0:
        return None, "\n".join(lines).strip()
    return "\n".join(lines[1 : fences[1]]), "\n".join(lines[fences[1] + 1 :]).strip()


def simple(text: str) -> tuple[dict[str, Any], str]:
    """Read a text that ships: `key: value`, `key: [a, b]`, and `  key: value` under a key without a value.

    true and false are booleans, quotes around a value are dropped, any other line is passed over.
    """
    head, body = split(text)
    meta: dict[str, Any] = {}
    last = ""
    for line in (head or "").splitlines():
        key, colon, value = line.partition(":")
        if not colon or not key.strip().replace("-", "_").isidentifier():
            continue
        if not key.startswith(" "):
            last = key
            meta[key] = _simple_value(value.strip())
        elif meta.get(last) == "" or isinstance(meta.get(last), dict):
            meta[last] = {**(meta[last] or {}), key.strip(): _simple_value(value.strip())}
    return meta, body


def _simple_value(text: str) -> str | bool | list[str]:
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(item) for item in text[1:-1].split(",") if item.strip()]
    return {"true": True, "false": False}.get(text, _unquoted(text))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def parsed(text: str) -> tuple[dict[str, Any], str]:
    """Read a text that anybody wrote: its front matter as YAML 1.2, in values that JSON has. Raise BadFrontMatter."""
    head, body = split(text)
    if head is None:
        return {}, body
    if len(head) > LONGEST:
        raise BadFrontMatter(f"the front matter is longer than {LONGEST} characters")
    found = _yaml(head)
    if found is None:
        return {}, body
    if not isinstance(found, dict):
        raise BadFrontMatter("the front matter is no mapping: write `key: value` lines between two lines of ---")
    left = [MOST_VALUES]
    return {str(key): _json(value, left) for key, value in cast(dict[object, object], found).items()}, body


def _yaml(head: str) -> object:
    first: BadFrontMatter | None = None
    for spelled in dict.fromkeys((head, BARE_GLOB.sub(_quoted_glob, head))):
        try:
            return yaml.loaded(spelled, first_line=2)
        except yaml.BadYaml as error:
            first = first or BadFrontMatter(f"the front matter is {error}")
    assert first
    raise first


def _quoted_glob(found: re.Match[str]) -> str:
    return f"{found[1]}'{found[2]}'"


def _json(value: object, left: list[int]) -> Any:
    """Return a value as JSON has it: dates are texts, keys too."""
    left[0] -= 1
    if left[0] < 0:
        raise BadFrontMatter(f"the front matter stands for more than {MOST_VALUES} values")
    if isinstance(value, dict):
        return {str(key): _json(item, left) for key, item in cast(dict[object, object], value).items()}
    if isinstance(value, list | set | tuple):
        return [_json(item, left) for item in cast(list[object], value)]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def written(meta: Mapping[str, Any], body: str) -> str:
    """Return the text of a file: its front matter in YAML that the simple reader takes where it can, and its body."""
    head = [FENCE, *_lines(meta, ""), FENCE, ""] if meta else []
    return "\n".join([*head, body.strip(), ""])


def _lines(meta: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in meta.items():
        name = f"{indent}{_scalar(key)}:"
        if isinstance(value, dict) and value:
            yield name
            yield from _lines(cast(dict[str, Any], value), indent + "  ")
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in cast(list[object], value)):
            yield name
            yield from (f"{indent}  - {json.dumps(item, ensure_ascii=False)}" for item in cast(list[object], value))
        elif isinstance(value, list):
            yield f"{name} [{', '.join(map(_scalar, cast(list[object], value)))}]"
        else:
            yield f"{name} {_scalar(cast(object, value))}"


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if PLAIN.fullmatch(value) and value.lower() not in WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())
