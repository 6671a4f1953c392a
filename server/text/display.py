"""Text that others wrote, as a person may see it in a terminal, a log or a question. Pure."""

ESCAPES = {"\n": "\u23ce ", "\t": " "}


def shown(text: str) -> str:
    """Return a text as it may be shown: one line, and nothing in it moves a cursor or turns what is around it."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return ESCAPES.get(char) or f"\\u{{{ord(char):x}}}"
