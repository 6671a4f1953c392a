"""Secrets behind short options of programs: `-p` is a password to one, a port, a path or nothing to another."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from server.text.redaction.spans import BARE, BLANK, QUOTED, REFERENCE, TRAILING, Span, is_secret, left_out

# What stands between an option and its value, and which options are meant: joined (`-psecret`), or with a blank too.
_START = r"(?<![\w-])"
_NO_WORD = r"(?!r(?:int|une)|(?:ath|erm|ort)\b)"  # `find .../mysql -print`
_LOGIN = r"docker|podman|nerdctl|buildah|skopeo|az|oc|cf|(?:helm|oras)(?:[ \t]++registry)?"


def _option(names: str) -> str:
    return rf"{_START}-(?:{names}){_NO_WORD}(?:[ \t]++|=)?+"


def _joined(names: str) -> str:
    return rf"{_START}-(?:{names}){_NO_WORD}(?=[^\s-])"


def _pair(names: str, between: str = ":") -> str:
    """Return an option that takes a user and a password, up to the password."""
    return rf"{_START}(?:{names})(?:[ \t]++|=)?+(?P<quote>\\*+[\"'])?+[^\s{between}\"'/]{{1,100}}+{between}"


# A group for each family: the program (and what it is told to do), and its options.
PROGRAMS: dict[str, tuple[str, str]] = {
    "curl": ("curl", _pair(r"-[A-Za-z]{0,9}[uU]|--user|--proxy-user")),
    "httpie": ("https?(?=[ \t]++(?:-|GET|POST|PUT|PATCH|DELETE|HEAD))", _pair("-a|--auth")),
    "lftp": ("lftp", _pair("-u", ",")),
    "samba": ("smbclient|rpcclient|smbget|net[ \t]++(?:ads|rpc)", _pair("-U|--user", "%")),
    "benchmark": ("ab(?=[ \t]++-)", _pair("-A|-P")),
    "mysql": (r"(?:mysql|mariadb)(?:-?(?:dump|admin|import|check|show|slap|binlog|backup))?+", _joined("p")),
    "archive": ("7z[ar]?|(?:un)?rar", _joined("p|hp")),
    "zip": ("(?:un)?zip", _option("P")),
    "sshpass": ("sshpass", _option("p")),
    "redis": ("redis-(?:cli|benchmark)", _option("a")),
    "mongo": ("mongo(?:sh|dump|restore|export|import|stat|top)?+", _option("p")),
    "login": (rf"(?:{_LOGIN})[ \t]++login|twine[ \t]++upload|cqlsh|cypher-shell|beeline", _option("p")),
    "ldap": ("ldap(?:search|modify|add|delete|passwd|whoami|compare|modrdn)", _option("w")),
    "network": ("ipmitool|mosquitto_(?:pub|sub)|sqlcmd|bcp|isql|osql|tsql", _option("P")),
    "openssl": ("openssl", rf"{_START}-(?:pass(?:in|out)?[ \t]++(?:\\*+[\"'])?+pass:|[kK][ \t]++)"),
    "keytool": ("keytool|jarsigner", rf"{_START}-(?:src|dest|new)?(?:store|key)?pass[ \t]++"),
}
ONCE = {"sshpass"}  # the rest of its line is another program
NAMED = re.compile(
    rf"(?<![\w.-])(?:{'|'.join(f'(?P<{family}>{names})' for family, (names, _) in PROGRAMS.items())})"
    r"(?:\.exe)?+(?=[ \t])"
)
OPTION = re.compile(r"-(?<![\w-]-)-?[A-Za-z]")  # any: only before one is looked for a program
OPTIONS = {family: re.compile(options) for family, (_, options) in PROGRAMS.items()}
# A command ends with its line, unless that goes on, and where the next command begins; not within quotes.
COMMAND = re.compile(r"""(?:[^\n|;&"'\\]|\\(?:[^n]|\Z)|"(?:\\.|[^"\\\n])*+"|'[^'\n]*+'|["'])++""", re.DOTALL)
SEPARATORS = ("|", "||", "&&", ";")
OTHER = re.compile(r"""[\s"'\\|;&]""")
MASK = "\x01"


def without_options(text: str) -> str:
    """Return a text without what stands behind such options in the commands that it holds."""
    return left_out(text, _secrets(text)) if OPTION.search(text) else text


def without_arguments(items: Sequence[str]) -> list[str]:
    """Return the arguments of a program without what stands behind such options: each is one, whatever it holds."""
    kept = list(items)
    masked = [item if item in SEPARATORS else OTHER.sub(MASK, item) for item in items]
    starts = list(accumulate((len(item) + 1 for item in items), initial=0))
    for start, _ in _secrets(" ".join(masked)):
        place = bisect_right(starts, start) - 1
        kept[place] = kept[place][: start - starts[place]] + BLANK
    return kept


def _secrets(text: str) -> Iterator[Span]:
    """Yield where each secret behind an option begins and ends, in order."""
    place = 0
    for option in OPTION.finditer(text):
        place = _line(text, place, option.start())
        while place < option.start() and (named := NAMED.search(text, place, option.end())):
            command = COMMAND.match(text, named.end())
            place = command.end() if command else named.end()
            yield from _of_command(text, named.end(), place, str(named.lastgroup))
        place = max(place, option.start())


def _line(text: str, place: int, end: int) -> int:
    """Return where the line begins that goes on at `end`, behind `place`. One that ends with `\\` goes on, too."""
    start = end
    while (start := text.rfind("\n", place, start)) > place and text[start - 1] == "\\":
        pass
    return max(place, start)


def _of_command(text: str, start: int, end: int, family: str) -> Iterator[Span]:
    while option := OPTIONS[family].search(text, start, end):
        start = option.end()
        if span := _value(text, start, end, option.groupdict().get("quote")):
            yield span
            start = span[1]
        if family in ONCE:
            return


def _value(text: str, start: int, end: int, quote: str | None) -> Span | None:
    """Return where the value of an option begins and ends, or None if it tells nothing."""
    quoted = None if quote else QUOTED.match(text, start, end)
    start = quoted.start("value") if quoted else start
    if text.startswith((BLANK, "-"), start) or REFERENCE.match(text, start):
        return None
    if quoted:
        stop = quoted.end("value")
    elif quote and (closing := text.find(quote, start, end)) >= 0:
        stop = closing
    else:
        bare = BARE.match(text, start, end)
        stop = start + len(bare[0].rstrip(TRAILING)) if bare else start
    return (start, stop) if is_secret(text[start:stop]) else None
