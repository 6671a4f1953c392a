"""Where a secret that stands in a text begins and ends, and what stands there but tells nothing."""

import re
from collections.abc import Iterable

BLANK = "[secret left out]"
Span = tuple[int, int]
QUOTED = re.compile(r"""(?P<quote>\\*+["'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\\n]))*+)""")
# It ends where the next name of a query, a form or a connection string begins.
BARE = re.compile(r"""(?:(?![&;,][ \t]?+[\w.-]{1,60}+[=:])(?!\\*+["'])\S)++""")
# What tells nothing: a variable, a place to fill in, a word of a language, the beginning of a sentence.
REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|#?\{\w{1,99}+\}|\$[A-Z_][A-Z0-9_]{0,99}+(?![\w$])|%\w{1,99}+%|<[^<>\n]{1,99}+>|\*{3}|\.{3}(?!\S)"
    r"|\u2022{3}|[xX]{4,99}+(?!\w)|[yY][oO][uU][rR][_-]"
)
WORDS = frozenset(re.findall(r"[\w-]+", """
    true false null none nil undefined required optional missing invalid expired yes no
    await new async function lambda typeof identifier uuid eof
    unset unknown disabled enabled hidden rotated stored expired unexpected include omit same-origin
    flag flags option options argument arguments
    str string int integer number bool boolean bytes text any object
    must should is was are has have may can cannot not to for in of the a an with from at on by or and as if that this
"""))  # fmt: skip
LEAST = 3
TRAILING = ",;.)]}>"


def is_secret(said: str) -> bool:
    """Return whether what stands where a secret may stand is one."""
    return len(said) >= LEAST and said.lower() not in WORDS


def left_out(text: str, spans: Iterable[Span]) -> str:
    """Return a text without what stands between such places, which come in order and may overlap."""
    parts: list[str] = []
    told = 0
    for start, end in spans:
        if start >= told:
            parts += [text[told:start], BLANK]
        told = max(told, end)
    return "".join([*parts, text[told:]])
