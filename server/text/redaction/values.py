"""Secrets in JSON values: known by their key, their shape, or the option or name before them, and blanked out."""

from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from server.text.redaction import REMEMBERED, blanked, is_name, tells
from server.text.redaction.options import without_arguments
from server.text.redaction.spans import BLANK
from server.text.redaction.texts import is_option, without_named, without_secrets

PAIRED = {"env", "environment", "header", "headers"}  # where a list of two is a name and its value


def without_secrets_in(said: Any) -> Any:
    """Return a JSON value without its secrets; all else is as it was."""
    named, _ = blanked(said)
    return _texts(named, may_pair=False)


def _texts(said: Any, *, may_pair: bool) -> Any:
    if isinstance(said, dict):
        return _of_object(cast(dict[str, Any], said))
    if isinstance(said, list):
        return _of_list(cast(list[Any], said), may_pair=may_pair)
    return without_named(said) if isinstance(said, str) else said


def _of_object(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in said.items():
        found[_free(_key(name), found)] = _texts(item, may_pair=name.lower() in PAIRED)
    is_pair = any(_is_secret_name(found.get(key)) for key in ("name", "key"))
    return {**found, "value": BLANK} if is_pair and tells(found.get("value")) else found


_known_key = lru_cache(maxsize=4096)(without_secrets)


def _key(name: str) -> str:
    return (_known_key if len(name) <= REMEMBERED else without_secrets)(name)


def _free(name: str, taken: dict[str, Any]) -> str:
    """Return the name, numbered where another one became the same without its secret."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free


def _of_list(items: list[Any], *, may_pair: bool) -> list[Any]:
    """Return items without secrets: those behind an option of a command too, and the value of a pair."""
    found = [_texts(item, may_pair=True) for item in items]
    if all(isinstance(item, str) for item in items):
        found = cast(list[Any], without_arguments(cast(list[str], found)))
    is_pair = may_pair and len(items) == 2
    for place, (before, item) in enumerate(pairwise(items), 1):
        is_named = isinstance(before, str) and (is_option(before) or (is_pair and is_name(before)))
        if is_named and tells(item) and not str(item).startswith("-"):
            found[place] = BLANK
    return found


def _is_secret_name(said: Any) -> bool:
    return isinstance(said, str) and is_name(said)
