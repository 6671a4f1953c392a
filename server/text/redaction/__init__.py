"""Secrets in what other programs left and agents log: known by their key or their shape, and blanked out."""

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from server.text.redaction.shapes import SHAPES
from server.text.redaction.spans import BLANK, Span, left_out

REMEMBERED = 100  # characters of a key, of which what was found is kept
LEAST_FIGURE = 1000  # that may be a secret: below are counts, flags and versions
NAMES = re.compile(
    r"(?:(?:^|_)(?:token|secret|passphrase|pwd|credentials?|(?:api|access|account|signing|encryption)_?key"
    r"|(?:private|secret)_?key(?:_base)?|client_?secret|(?:api|auth|access|refresh)_?token|bearer|cookie|authorization"
    r"|client_key_data|amz_signature"
    r"|(?:db|database|user|root|admin|login|auth|smtp|imap|mail|email|ftp|ssh|sudo|proxy|http|redis|mysql|mariadb|postgres"
    r"|pg|mongo|rabbitmq|amqp|ldap|store|key)_?pass)|password|passwd)(?:$|_(?:value|hash|text|raw)$)|^sig$"
)
HARMLESS = re.compile(
    r"(?:^|_)(?:max|min|count|total|num|usage|limit|per|used|budget|remaining|next|page|continuation)_"
)

# Each run of characters is tried once, whole: else a long line would be looked through for each of its characters.
KEY = re.compile(r"(?<![\w.-])[\w.-]{1,200}+(?=[\"']?\s*+[:=])")
BETWEEN = re.compile(r"[\s.-]+")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_name(key: str) -> bool:
    """Return whether what stands under a key is a secret: `apiKey`, `JIRA_TOKEN`; `token_count` is none."""
    return (_is_known_name if len(key) <= REMEMBERED else _is_name)(key)


def plain(key: str) -> str:
    """Return a key with its words in small letters, with `_` between them."""
    return BETWEEN.sub("_", WORDS.sub("_", key).strip().lower())


def _is_name(key: str) -> bool:
    name = plain(key)
    return bool(NAMES.search(name)) and not HARMLESS.search(name)


_is_known_name = lru_cache(maxsize=4096)(_is_name)


def blanked(value: Any, at: str = "$") -> tuple[Any, list[str]]:
    """Return a value without its secrets, and the places where there were some."""
    places: list[str] = []
    return _blanked(value, at, places), places


def _blanked(value: Any, at: str, places: list[str]) -> Any:
    if isinstance(value, dict):
        items = cast(dict[str, Any], value).items()
        return {name: _of_key(name, item, f"{at}.{name}", places) for name, item in items}
    if isinstance(value, list):
        return [_blanked(item, f"{at}[{n}]", places) for n, item in enumerate(cast(list[Any], value))]
    if isinstance(value, str) and (spans := _shaped(value)):
        places.append(at)
        return left_out(value, sorted(spans))
    return value


def has_shape(text: str) -> bool:
    """Return whether something in a text has the shape of a secret."""
    return bool(_shaped(text))


def _shaped(text: str) -> list[Span]:
    """Return where what has the shape of a secret begins and ends."""
    shapes = [shape for needle, shape in SHAPES if needle in text]
    found = [one for shape in shapes for one in shape.finditer(text) if one.lastgroup != "passed"]
    return [one.span(one.lastgroup or 0) for one in found]


def _of_key(name: str, value: Any, at: str, places: list[str]) -> Any:
    if (is_name(name) and any(_texts(value))) or is_login(name, value):
        places.append(at)
        return BLANK
    return _blanked(value, at, places)


def is_login(name: str, value: Any) -> bool:
    """Return whether a value is a user and a password, as files of clients keep them: `auth`, in base 64."""
    if name.lower() not in ("auth", "_auth") or not isinstance(value, str):
        return False
    with suppress(ValueError):
        return ":" in b64decode(value, validate=True).decode()
    return False


def _texts(value: Any) -> Iterator[bool]:
    """Yield whether there is something to hide in a value: flags and empty fields tell nothing."""
    if isinstance(value, dict):
        for item in cast(dict[str, Any], value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _texts(item)
    else:
        yield tells(value)


def tells(value: Any) -> bool:
    """Return whether a value may be a secret: flags, small figures and empty fields tell nothing."""
    if isinstance(value, str):
        return value not in ("", BLANK)
    return isinstance(value, int) and abs(value) >= LEAST_FIGURE


def may_hide(data: bytes) -> bool:
    """Return whether bytes that could not be read as what they should be may hold a secret."""
    text = data.decode("utf-8", "replace")
    return has_shape(text) or any(is_name(word) for word in set(KEY.findall(text)))
