"""Secrets in command lines, headers, settings and logs: known by the name before them, and blanked out."""

import re
from collections.abc import Iterator, Sequence

from server.text.redaction import blanked, is_login, is_name, plain
from server.text.redaction.options import without_options
from server.text.redaction.spans import BARE, BLANK, QUOTED, REFERENCE, TRAILING, Span, is_secret, left_out

# One of these is in every name of a secret: only around them is looked for one, and in no run of characters twice.
NEEDLES = ("token", "secret", "pass", "pwd", "credential", "key", "bearer", "cookie", "auth", "sig")
LONGEST = 100  # characters of a name
RUN = re.compile(r"[\w.-]*+")
# `name=`, `"name": `, `--name `, `<name>`.
NAMED = re.compile(
    rf"""(?<![\w.-])(?P<name>[\w.-]{{1,{LONGEST}}}+)"""
    r"""(?P<join>\\*+["']?+[ \t]*+(?:=>|:=|[:=](?![:=]))[ \t]*+|[ \t]++|>)"""
)
ELEMENT = re.compile(r"[^<\n]++")
COOKIES = re.compile(r"""[^\s;="',]{1,256}+=[^\s;"']*+(?:;[ \t]*+[^\s;="',]++(?:=[^\s;"']*+)?+)*+""")
SIGNED = re.compile(r"[^\n']++")
SCHEME = re.compile(r"(?i:basic|bearer|token|negotiate|api-?key|(?P<signed>digest|hawk|oauth|aws4-hmac-sha256))[ \t]++")
BEARER = re.compile(r" (?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*")
OPTION = re.compile(r"--?[A-Za-z][\w-]*")
CALL = re.compile(r"[A-Za-z_][\w.]{0,99}+[(\[]")
LOOK_UP = re.compile(r"[A-Za-z_]\w{0,99}+(?:(?:\.\w{1,99}+){1,9}+\(|\[[\"'])")  # `os.getenv("A")`, `config["a"]`
ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
ADDED = re.compile(r"[ \t]*+\+[ \t]++[A-Za-z_]")  # `"token=" + token`: what follows the name is code
LOGIN = re.compile(r"(?:\\*+[\"'])?+(?P<value>[A-Za-z0-9+/]{4,600}+={0,2}+)(?![A-Za-z0-9+/=])")
PARSER = re.compile(r"(?i)(?:unexpected|illegal|expected|near) $")  # whose tokens are words of a language


def without_secrets(said: str) -> str:
    """Return a text without what looks like a secret."""
    return without_named(blanked(said)[0])


def without_named(text: str) -> str:
    """Return a text without the secrets in it that are known by what stands before them, not by their shape."""
    if hits := _hits(text):
        text = left_out(text, _named(text, hits))
    return without_options(BEARER.sub(f" {BLANK}", text) if "earer " in text else text)


def is_option(said: str) -> bool:
    """Return whether what stands behind this argument of a command is a secret."""
    return bool(OPTION.fullmatch(said)) and is_name(said)


def _named(text: str, hits: Sequence[int]) -> Iterator[Span]:
    """Yield where each secret behind a name begins and ends, in order."""
    place = 0
    for hit in hits:
        if hit < place:
            continue
        name = NAMED.match(text, hit - _run(text[max(place, hit - LONGEST) : hit][::-1], 0))
        place = name.end() if name else hit + _run(text, hit)
        if name and (found := _secret(text, name)):
            yield found
            place = found[1]


def _run(text: str, start: int) -> int:
    """Return how many characters of a name stand there."""
    found = RUN.match(text, start)
    return len(found[0]) if found else 0


def _hits(text: str) -> list[int]:
    """Return where the needles stand, in order."""
    lowered = text.replace("\u0130", "i").lower()  # the only character that is two in lower case
    there = [needle for needle in NEEDLES if needle in lowered]
    return sorted(one.start() for needle in there for one in re.finditer(needle, lowered))


def _secret(text: str, name: re.Match[str]) -> Span | None:
    """Return where the secret behind a name begins and ends, or None if there is none, or no such name."""
    said, found = name["name"], None
    if is_name(said) and not (said.lower() == "token" and PARSER.search(text, max(name.start() - 12, 0), name.start())):
        found = _value(text, name)
        return None if found and _is_name_again(said, text[slice(*found)]) else found
    login = LOGIN.match(text, name.end()) if said.lower().endswith("auth") else None
    return login.span("value") if login and is_login(said, login["value"]) else None


def _is_name_again(name: str, said: str) -> bool:
    """Return whether what follows a name is that name, or another one of a secret: `token=token`, `= self.api_key`."""
    said = said.lstrip(":@&*#+$")
    if not ATTRIBUTE.fullmatch(said):
        return False
    words = plain(said).split("_")
    return plain(name).split("_")[-len(words) :] == words or ("." in said and is_name(said))


def _value(text: str, name: re.Match[str]) -> Span | None:
    """Return where what stands behind a name begins and ends, or None if that tells nothing."""
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
    if quoted and ADDED.match(text, start):
        return None
    if quoted:
        end = quoted.end("value")
    elif LOOK_UP.match(text, start) or ((" " in join or before in ("(", ",")) and CALL.match(text, start)):
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
