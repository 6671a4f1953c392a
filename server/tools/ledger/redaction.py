"""What agents log of calls, without its secrets: those that importers know, and those in command lines and headers."""

import json
import re
from typing import Any, cast

from server.models.base import encode
from server.text.redaction import BLANK, blanked, is_name

# API_KEY=abc, "password": "abc", password: abc; and --token abc. The bound of a key keeps a long text from being looked
# through again for each of its characters.
VALUE = r"""(?P<value>[^\s"',;&]{4,})"""
PAIRS = re.compile(rf"""(?<![\w.])(?P<key>[A-Za-z][\w.-]{{0,79}}+)(?P<between>["']?\s*+[=:]\s*+["']?){VALUE}""")
OPTIONS = re.compile(rf"""(?<![\w-])--(?P<key>[A-Za-z][\w-]{{0,79}}+)(?P<between>\s++["']?){VALUE}""")
BEARER = re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")


def text(said: str) -> str:
    """Return a text without what looks like a secret."""
    shaped, _ = blanked(said)
    return PAIRS.sub(_pair, OPTIONS.sub(_pair, BEARER.sub(BLANK, shaped)))


def _pair(found: re.Match[str]) -> str:
    is_secret = is_name(found["key"]) and not found["value"].startswith(BLANK[:4])
    if not is_secret or found["value"].lower() in ("bearer", "basic"):
        return found[0]
    return f"{found[0][: -len(found['value'])]}{BLANK}"


def value(said: Any) -> Any:
    """Return a JSON value without its secrets; all else is as it was."""
    named, _ = blanked(said)
    return _texts(named)


def _texts(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _texts(item) for name, item in cast(dict[str, Any], said).items()}
    if isinstance(said, list):
        return [_texts(item) for item in cast(list[Any], said)]
    return text(said) if isinstance(said, str) else said


def result(said: str) -> Any:
    """Return what a tool gave, JSON as what it says, without its secrets."""
    if said.lstrip().startswith(("{", "[")):
        try:
            found = value(json.loads(said))
            encode(found)  # NaN and infinity are read, and are no JSON
            return found
        except (ValueError, RecursionError):
            pass
    return text(said)
