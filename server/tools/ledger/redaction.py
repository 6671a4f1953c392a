"""What a tool gave, as agents log it, without its secrets."""

import json
from typing import Any

from server.models.base import encode
from server.text.redaction.texts import without_secrets
from server.text.redaction.values import without_secrets_in


def result(said: str) -> Any:
    """Return what a tool gave, JSON as what it says, without its secrets."""
    if said.lstrip().startswith(("{", "[")):
        try:
            found = without_secrets_in(json.loads(said))
            encode(found)  # NaN and infinity are read, and are no JSON
            return found
        except (ValueError, RecursionError):
            pass
    return without_secrets(said)
