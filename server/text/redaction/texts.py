"""Secrets in command lines, headers, settings and logs: known by the name before them, and blanked out."""

import re

from server.text.redaction import BLANK, blanked, is_name

# `name=`, `"name": `, `--name `, `<name>`. A name has a bound, and no run of characters is tried twice: a long text is
# looked through once.
NAMED = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]{1,100}+)"""
    r"""(?P<join>\\*+["']?+[ \t]*+(?:=>|:=|[:=](?![:=]))[ \t]*+|[ \t]++|>)"""
)
QUOTED = re.compile(r"""(?P<quote>\\*+["'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\\n]))*+)""")
# It ends where the next name of a query, a form or a connection string begins.
BARE = re.compile(r"""(?:(?![&;,][ \t]?+[\w.-]{1,60}+[=:])(?!\\*+["'])\S)++""")
ELEMENT = re.compile(r"[^<\n]++")
COOKIES = re.compile(r"""[^\s;="',]++=[^\s;"']*+(?:;[ \t]*+[^\s;="',]++(?:=[^\s;"']*+)?+)*+""")
SIGNED = re.compile(r"[^\n']++")
SCHEME = re.compile(r"(?i:basic|bearer|token|negotiate|api-?key|(?P<signed>digest|hawk|oauth|aws4-hmac-sha256))[ \t]++")
BEARER = re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")
OPTION = re.compile(r"--?[A-Za-z][\w-]*")
USER = re.compile(r"""(?<![\w-])(?:-u|--user|--proxy-user)[ \t=]++["']?+[^\s:"']{1,100}+:(?P<value>[^\s"']++)""")
# What tells nothing: a variable, a place to fill in, a call, a word of a language, the beginning of a sentence.
REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|\$[A-Z_][A-Z0-9_]{0,99}+(?![\w$])|%\w{1,99}+%|<[^<>\n]{1,99}+>|\*{3}|\.{3}(?!\S)"
)
CALL = re.compile(r"[A-Za-z_][\w.]{0,99}+[(\[]")
WORDS = frozenset(re.findall(r"\w+", """
    true false null none nil undefined required optional missing invalid expired yes no
    str string int integer number bool boolean bytes text any object
    must should is was are has have may can cannot not to for in of the a an with from at on by or and as if that this
"""))  # fmt: skip
LEAST = 3
TRAILING = ",;.)]}>"


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
    text = BEARER.sub(BLANK, "".join([*parts, text[told:]]))
    return USER.sub(_without_password, text) if "curl" in text else text


def is_option(said: str) -> bool:
    """Return whether what stands behind this argument of a command is a secret."""
    return bool(OPTION.fullmatch(said)) and is_name(said)


def _without_password(found: re.Match[str]) -> str:
    if BLANK.startswith(found["value"]):
        return found[0]
    return f"{found[0][: -len(found['value'])]}{BLANK}"


def _value(text: str, name: re.Match[str]) -> tuple[int, int] | None:
    """Return where the secret behind a name begins and ends, or None if there is none."""
    join, before = name["join"], text[max(name.start() - 1, 0) : name.start()]
    if (join == ">" and before != "<") or (join.isspace() and not name["name"].startswith("-")):
        return None
    quoted = QUOTED.match(text, name.end())
    start = quoted.start("value") if quoted else name.end()
    scheme = SCHEME.match(text, start)
    start = scheme.end() if scheme else start
    if text.startswith((BLANK, "-" if join.isspace() else BLANK), start) or REFERENCE.match(text, start):
        return None
    if quoted:
        end = quoted.end("value")
    elif (" " in join or before in ("(", ",")) and CALL.match(text, start):
        return None
    else:
        end = _end(text, start, name, is_signed=bool(scheme and scheme["signed"]))
    is_secret = end - start >= LEAST and text[start:end].lower() not in WORDS
    return (start, end) if is_secret else None


def _end(text: str, start: int, name: re.Match[str], *, is_signed: bool) -> int:
    """Return where a value without quotes ends."""
    is_cookie = name["name"].lower().endswith("cookie") and ":" in name["join"]
    shape = ELEMENT if name["join"] == ">" else COOKIES if is_cookie else SIGNED if is_signed else BARE
    found = shape.match(text, start)
    return start + len(found[0].rstrip(TRAILING)) if found else start
