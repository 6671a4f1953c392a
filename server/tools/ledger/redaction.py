"""What agents log of calls, without its secrets."""

import json
from itertools import pairwise
from typing import Any, cast

from server.models.base import encode
from server.text.redaction import BLANK, blanked, is_name
from server.text.redaction.texts import is_option, without_secrets


def value(said: Any) -> Any:
    """Return a JSON value without its secrets; all else is as it was."""
    named, _ = blanked(said)
    return _texts(named)


def _texts(said: Any) -> Any:
    if isinstance(said, dict):
        found = {without_secrets(name): _texts(item) for name, item in cast(dict[str, Any], said).items()}
        is_pair = any(_is_secret_name(found.get(key)) for key in ("name", "key"))
        return {**found, "value": BLANK} if is_pair and _tells(found.get("value")) else found
    if isinstance(said, list):
        return _of_list(cast(list[Any], said))
    return without_secrets(said) if isinstance(said, str) else said


def _of_list(items: list[Any]) -> list[Any]:
    """Return items without secrets: those behind an option of a command too, and the value of a pair."""
    found = [_texts(item) for item in items]
    for place, (before, item) in enumerate(pairwise(items), 1):
        is_named = isinstance(before, str) and (is_option(before) or (len(items) == 2 and is_name(before)))
        if is_named and _tells(item) and not item.startswith("-"):
            found[place] = BLANK
    return found


def _is_secret_name(said: Any) -> bool:
    return isinstance(said, str) and is_name(said)


def _tells(said: Any) -> bool:
    return isinstance(said, str) and said != ""


def result(said: str) -> Any:
    """Return what a tool gave, JSON as what it says, without its secrets."""
    if said.lstrip().startswith(("{", "[")):
        try:
            found = value(json.loads(said))
            encode(found)  # NaN and infinity are read, and are no JSON
            return found
        except (ValueError, RecursionError):
            pass
    return without_secrets(said)
