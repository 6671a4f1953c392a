"""Text that others wrote, as a person may see it in a terminal, a log or a question. Pure."""

BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
WIDE_SPACE = "\u3000"  # between the words of Japanese text
ESCAPES = {"\n": "\u23ce ", "\t": " ", WIDE_SPACE: WIDE_SPACE}


def shown(text: str) -> str:
    """Return a text as it may be shown: one line, and nothing in it is hidden, moves a cursor or turns what is near."""
    if text.isprintable() and BLANK.isdisjoint(text):
        return text
    return "".join(char if char.isprintable() and char not in BLANK else _escape(char) for char in text)


def _escape(char: str) -> str:
    return ESCAPES.get(char) or f"\\u{{{ord(char):x}}}"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count} bytes"


def figure(value: float) -> str:
    """Return a figure as people read it, whole: 0.1, 1,234,567."""
    return f"{value:,.15g}"


def number_of(number: int, noun: str) -> str:
    """Return so many things in words: `1 step`, `12,000 steps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
