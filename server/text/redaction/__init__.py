"""Secrets in what other programs left and agents log: known by their key or their shape, and blanked out."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from server.text.redaction.spans import BLANK, Span, left_out

REMEMBERED = 100  # characters of a key, of which what was found is kept
LEAST_FIGURE = 1000  # that may be a secret: below are counts, flags and versions
TOKEN = "[A-Za-z0-9_-]"
PRIVATE = r"[A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
NAMES = re.compile(
    r"(?:(?:^|_)(?:token|secret|passphrase|pwd|credentials?|(?:api|access|account|signing|encryption)_?key"
    r"|(?:private|secret)_?key(?:_base)?|client_?secret|(?:api|auth|access|refresh)_?token|bearer|cookie|authorization"
    r"|amz_signature)|password|passwd)(?:$|_(?:value|hash|text|raw)$)|^sig$"
)
HARMLESS = re.compile(r"(?:^|_)(?:max|min|count|total|num|usage|limit|per|used|budget|remaining)_")


def _word(start: str, rest: str) -> str:
    """Return the shape of a word that starts so. What is literal comes first: it is found without trying the rest."""
    return rf"{start}(?<=\b{start}){rest}"


# What is in every text that has a secret of a shape, and the shape, or the group `secret` of it.
SHAPES = tuple(
    (needle, re.compile(shape))
    for needle, shape in (
        ("k-", _word("[spr]k-", "[A-Za-z0-9_-]{20,}")),
        ("_live_", _word("[spr]k_live_", "[A-Za-z0-9]{16,}")),
        ("_test_", _word("[spr]k_test_", "[A-Za-z0-9]{16,}")),
        ("whsec_", _word("whsec_", "[A-Za-z0-9+/=]{20,}")),
        ("gh", _word("gh", "[pousr]_[A-Za-z0-9]{30,}")),
        ("github_pat_", _word("github_pat_", "[A-Za-z0-9_]{30,}")),
        ("glpat-", _word("glpat-", "[A-Za-z0-9_-]{20,}")),
        ("npm_", _word("npm_", "[A-Za-z0-9]{36}")),
        ("pypi-", _word("pypi-", "[A-Za-z0-9_-]{40,}")),
        ("hf_", _word("hf_", "[A-Za-z0-9]{30,}")),
        ("dop_v1_", _word("dop_v1_", "[a-f0-9]{40,}")),
        ("SG.", _word(r"SG\.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}")),
        ("ya29.", _word(r"ya29\.", "[A-Za-z0-9_-]{20,}")),
        ("GOCSPX-", _word("GOCSPX-", "[A-Za-z0-9_-]{20,}")),
        ("hooks.slack.com", r"hooks\.slack\.com/services/(?P<secret>[A-Za-z0-9/]{20,})"),
        ("xapp-", _word("xapp-", "[A-Za-z0-9-]{10,}")),
        ("xox", _word("xox", "[abeprs]-[A-Za-z0-9-]{10,}")),
        ("AKIA", _word("AKIA", r"[0-9A-Z]{16}\b")),
        ("AIza", _word("AIza", "[0-9A-Za-z_-]{35}")),
        ("ATATT", _word("ATATT", "[A-Za-z0-9_=-]{20,}")),
        # The run behind one that is none is passed by: others that begin in it would be tried up to the same end.
        ("eyJ", _word("eyJ", rf"(?:{TOKEN}{{10,}}+\.{TOKEN}{{10,}}+\.{TOKEN}{{5,}}|(?P<passed>{TOKEN}*+))")),
        ("-----BEGIN", rf"-----BEGIN {PRIVATE}(?s:.*?)(?:-----END {PRIVATE}|\Z)"),
        ("://", rf"""://(?P<secret>[^\s/:@"'?#]{{0,200}}:[^\s/"'?#]{{1,400}}(?=@)|{TOKEN}{{20,200}}(?=@))"""),
    )
)
# Each run of characters is tried once, whole: else a long line would be looked through for each of its characters.
KEY = re.compile(r"(?<![\w.-])[\w.-]{1,200}+(?=[\"']?\s*+[:=])")
BETWEEN = re.compile(r"[\s.-]+")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_name(key: str) -> bool:
    """Return whether what stands under a key is a secret: `apiKey`, `JIRA_TOKEN`; `token_count` is none."""
    return (_is_known_name if len(key) <= REMEMBERED else _is_name)(key)


def _is_name(key: str) -> bool:
    plain = BETWEEN.sub("_", WORDS.sub("_", key).strip().lower())
    return bool(NAMES.search(plain)) and not HARMLESS.search(plain)


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
    return has_shape(text) or any(is_name(word) for word in set(KEY.findall(text)))
