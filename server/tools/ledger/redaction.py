"""What agents log of calls, without its secrets: those that importers know, and those in command lines and headers."""

import json
import re
from typing import Any, cast

from server.importers import secrets
from server.importers.secrets import BLANK

# --token abc, API_KEY=abc, "password": "abc", password: abc
PAIRS = re.compile(
    r"""(?P<key>[A-Za-z][\w.-]*)(?P<between>["']?(?:\s*[=:]\s*|\s+(?=\S))["']?)(?P<value>[^\s"',;&]{4,})"""
)
BEARER = re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")


def text(said: str) -> str:
    """Return a text without what looks like a secret."""
    shaped, _ = secrets.blanked(said)
    return PAIRS.sub(_pair, BEARER.sub(BLANK, shaped))


def _pair(found: re.Match[str]) -> str:
    is_told = found["between"].strip() or found.string[max(found.start() - 2, 0) : found.start()] == "--"
    is_secret = is_told and secrets.is_name(found["key"]) and not found["value"].startswith(BLANK[:4])
    if not is_secret or found["value"].lower() in ("bearer", "basic"):
        return found[0]
    return f"{found['key']}{found['between']}{BLANK}"


def value(said: Any) -> Any:
    """Return a JSON value without its secrets; all else is as it was."""
    named, _ = secrets.blanked(said)
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
            return value(json.loads(said))
        except (ValueError, RecursionError):
            pass
    return text(said)
