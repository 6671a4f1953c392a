"""Secrets in command lines, headers, settings and logs: known by the name before them, and blanked out."""

import re

from server.text.redaction import BLANK, blanked, is_name
from server.text.redaction.options import without_options
from server.text.redaction.spans import BARE, QUOTED, REFERENCE, TRAILING, is_secret

# `name=`, `"name": `, `--name `, `<name>`. A name has a bound, and no run of characters is tried twice: a long text is
# looked through once.
NAMED = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]{1,100}+)"""
    r"""(?P<join>\\*+["']?+[ \t]*+(?:=>|:=|[:=](?![:=]))[ \t]*+|[ \t]++|>)"""
)
ELEMENT = re.compile(r"[^<\n]++")
COOKIES = re.compile(r"""[^\s;="',]++=[^\s;"']*+(?:;[ \t]*+[^\s;="',]++(?:=[^\s;"']*+)?+)*+""")
SIGNED = re.compile(r"[^\n']++")
SCHEME = re.compile(r"(?i:basic|bearer|token|negotiate|api-?key|(?P<signed>digest|hawk|oauth|aws4-hmac-sha256))[ \t]++")
BEARER = re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")
OPTION = re.compile(r"--?[A-Za-z][\w-]*")
CALL = re.compile(r"[A-Za-z_][\w.]{0,99}+[(\[]")


def without_secrets(said: str) -> str:
    """Return a text without what looks like a secret."""
    text, _ = blanked(said)
    parts: list[str] = []
    place = told = 0
    while name := NAMED.search(text, place):
        place = name.end()
        if is_name(name["name"]) and (found := _value(text, name)):
            parts += [text[told : found[0]], BLANK]
            place = told = found[1]
    return without_options(BEARER.sub(BLANK, "".join([*parts, text[told:]])))


def is_option(said: str) -> bool:
    """Return whether what stands behind this argument of a command is a secret."""
    return bool(OPTION.fullmatch(said)) and is_name(said)


def _value(text: str, name: re.Match[str]) -> tuple[int, int] | None:
    """Return where the secret behind a name begins and ends, or None if there is none."""
    join, before = name["join"], text[max(name.start() - 1, 0) : name.start()]
    if (join == ">" and before != "<") or (join.isspace() and not name["name"].startswith("-")):
        return None
    quoted = QUOTED.match(text, name.end())
    start = quoted.start("value") if quoted else name.end()
    scheme = SCHEME.match(text, start)
    start = scheme.end() if scheme else start
    is_option_next = join.isspace() and text.startswith("-", start)
    if is_option_next or text.startswith(BLANK, start) or REFERENCE.match(text, start):
        return None
    if quoted:
        end = quoted.end("value")
    elif (" " in join or before in ("(", ",")) and CALL.match(text, start):
        return None
    else:
        end = _end(text, start, name, is_signed=bool(scheme and scheme["signed"]))
    return (start, end) if is_secret(text[start:end]) else None


def _end(text: str, start: int, name: re.Match[str], *, is_signed: bool) -> int:
    """Return where a value without quotes ends."""
    is_cookie = name["name"].lower().endswith("cookie") and ":" in name["join"]
    shape = ELEMENT if name["join"] == ">" else COOKIES if is_cookie else SIGNED if is_signed else BARE
    found = shape.match(text, start)
    return start + len(found[0].rstrip(TRAILING)) if found else start
