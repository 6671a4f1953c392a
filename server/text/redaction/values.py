"""Secrets in JSON values: known by their key, their shape, or the option or name before them, and blanked out."""

from itertools import pairwise
from typing import Any, cast

from server.text.redaction import BLANK, blanked, is_name
from server.text.redaction.options import without_arguments
from server.text.redaction.texts import is_option, without_secrets


def without_secrets_in(said: Any) -> Any:
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
    if all(isinstance(item, str) for item in items):
        found = cast(list[Any], without_arguments(cast(list[str], found)))
    for place, (before, item) in enumerate(pairwise(items), 1):
        is_named = isinstance(before, str) and (is_option(before) or (len(items) == 2 and is_name(before)))
        if is_named and _tells(item) and not item.startswith("-"):
            found[place] = BLANK
    return found


def _is_secret_name(said: Any) -> bool:
    return isinstance(said, str) and is_name(said)


def _tells(said: Any) -> bool:
    return isinstance(said, str) and said != ""
