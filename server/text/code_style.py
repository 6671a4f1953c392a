"""How the code of a project is laid out, told from samples of it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

Style = Mapping[str, str | int | bool]

QUOTING = {"Python", "JavaScript", "TypeScript"}  # languages in which either quote means the same
SEMICOLONS = {"JavaScript", "TypeScript"}
FEWEST = 5  # lines that say something, or it is no convention
INDENTED = re.compile(r"(?m)^([ \t]+)\S")
STRINGS = re.compile(r"""(?<![\w'"\\])(['"])(?!\1)[^'"\n\\]{0,80}\1""")
STATEMENT = re.compile(r"(?m)[\w)\]'\"](;?)[ \t]*$")
CLOSED = re.compile(r"([^\s\[({,])?(,?)[ \t]*\r?\n[ \t]*[\])}]")


def observed(samples: Iterable[tuple[str, str]]) -> Style:
    """Return the conventions that most of the samples keep to: of each, its language and its text."""
    seen: dict[str, Counter[str | int | bool]] = {}
    for language, text in samples:
        for name, value, count in _signs(language, text):
            seen.setdefault(name, Counter())[value] += count
    return {name: said.most_common(1)[0][0] for name, said in seen.items() if said.total() >= FEWEST}


def _signs(language: str, text: str) -> Iterable[tuple[str, str | int | bool, int]]:
    """Yield what one text says: the convention, its value, and how often."""
    indents = INDENTED.findall(text)
    tabs = sum(indent[0] == "\t" for indent in indents)
    yield "indentation", "tabs", tabs
    yield "indentation", "spaces", len(indents) - tabs
    steps = Counter(len(indent) for indent in indents if "\t" not in indent)
    if steps:
        yield "indent_size", _step(steps), sum(steps.values())
    crlf = text.count("\r\n")
    yield "line_endings", "crlf", crlf
    yield "line_endings", "lf", text.count("\n") - crlf
    if language in QUOTING:
        quotes = Counter(STRINGS.findall(text))
        yield "quote_style", "single", quotes["'"]
        yield "quote_style", "double", quotes['"']
        commas = [comma for _, comma in CLOSED.findall(text)]
        yield "trailing_commas", True, sum(map(bool, commas))
        yield "trailing_commas", False, sum(not comma for comma in commas)
    if language in SEMICOLONS:
        ends = STATEMENT.findall(text)
        yield "semicolons", True, sum(map(bool, ends))
        yield "semicolons", False, sum(not end for end in ends)


def _step(widths: Counter[int]) -> int:
    """Return by how many spaces a text is indented: the width that most of its own are a multiple of."""
    total = widths.total()
    fitting = (step for step in (8, 4, 3, 2) if sum(n for w, n in widths.items() if w % step == 0) >= 0.9 * total)
    return next(fitting, 2)
