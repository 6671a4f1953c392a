"""Secrets in what other programs left and agents log: known by their key or their shape, and blanked out."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

BLANK = "[secret left out]"
LEAST_FIGURE = 1000  # that may be a secret: below are counts, flags and versions
# One of these is in whatever has a shape of a secret: to look for them takes a hundredth of the time.
HINTS = (
    "k-", "gh", "glpat-", "xox", "xapp-", "AKIA", "AIza", "ATATT", "eyJ", "-----BEGIN", "://", "_live_", "_test_",
    "whsec_", "npm_", "pypi-", "hf_", "SG.", "ya29.", "GOCSPX-", "dop_v1_",
)  # fmt: skip
NAMES = re.compile(
    r"(?:(?:^|_)(?:token|secret|passphrase|pwd|credentials?|(?:api|access|account|signing|encryption)_?key"
    r"|(?:private|secret)_?key(?:_base)?|client_?secret|(?:api|auth|access|refresh)_?token|bearer|cookie|authorization"
    r"|amz_signature)|password|passwd)(?:$|_(?:value|hash|text|raw)$)|^sig$"
)
HARMLESS = re.compile(r"(?:^|_)(?:max|min|count|total|num|usage|limit|per|used|budget|remaining)_")
SHAPES = re.compile(
    r"""
    \b(?:sk|pk|rk)-[A-Za-z0-9_-]{20,} | \b[spr]k_(?:live|test)_[A-Za-z0-9]{16,} | \bwhsec_[A-Za-z0-9+/=]{20,}
    | \bgh[pousr]_[A-Za-z0-9]{30,} | \bgithub_pat_[A-Za-z0-9_]{30,} | \bglpat-[A-Za-z0-9_-]{20,}
    | \bnpm_[A-Za-z0-9]{36} | \bpypi-[A-Za-z0-9_-]{40,} | \bhf_[A-Za-z0-9]{30,} | \bdop_v1_[a-f0-9]{40,}
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,} | \bya29\.[A-Za-z0-9_-]{20,} | \bGOCSPX-[A-Za-z0-9_-]{20,}
    | (?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,} | \bxapp-[A-Za-z0-9-]{10,}
    | \bxox[abeprs]-[A-Za-z0-9-]{10,} | \bAKIA[0-9A-Z]{16}\b | \bAIza[0-9A-Za-z_-]{35}
    | \bATATT[A-Za-z0-9_=-]{20,}
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY(?:\ BLOCK)?-----(?:.|\n)*?(?:-----END\ [A-Z ]*PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)
    | (?<=://)[^\s/:@"'?\#]{0,200}:[^\s/"'?\#]{1,400}(?=@) | (?<=://)[A-Za-z0-9_-]{20,200}(?=@)
    """,
    re.VERBOSE,
)
# Each run of characters is tried once, whole: else a long line would be looked through for each of its characters.
KEY = re.compile(r"(?<![\w.-])[\w.-]{1,200}+(?=[\"']?\s*+[:=])")
BETWEEN = re.compile(r"[\s.-]+")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def is_name(key: str) -> bool:
    """Return whether what stands under a key is a secret: `apiKey`, `JIRA_TOKEN`; `token_count` is none."""
    plain = BETWEEN.sub("_", WORDS.sub("_", key).strip().lower())
    return bool(NAMES.search(plain)) and not HARMLESS.search(plain)


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
    if isinstance(value, str) and any(hint in value for hint in HINTS) and SHAPES.search(value):
        places.append(at)
        return SHAPES.sub(BLANK, value)
    return value


def _of_key(name: str, value: Any, at: str, places: list[str]) -> Any:
    if is_name(name) and any(_texts(value)):
        places.append(at)
        return BLANK
    return _blanked(value, at, places)


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
    return bool(SHAPES.search(text)) or any(is_name(word) for word in set(KEY.findall(text)))
