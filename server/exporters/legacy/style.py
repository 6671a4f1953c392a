"""The byte form of a JSON file: what a changed one keeps of the way it was written."""

import json
import re
from dataclasses import dataclass
from typing import Any

INDENT = re.compile(r"^[\[{]\r?\n([ \t]+)\S")
ESCAPED = re.compile(r"\\u(00[89a-f]|0[1-9a-f]|[1-9a-f])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    """How a file was written. The old program wrote two spaces, real characters, and no newline at the end."""

    encoding: str = "utf-8"
    indent: str | None = "  "
    ascii_only: bool = False
    newline: str = "\n"
    end: str = ""
    separators: tuple[str, str] = (",", ": ")


def of(data: bytes) -> Style:
    """Return the style of a file's bytes."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, "replace")
    indent = INDENT.match(text)
    separators = (",", ": ") if indent else ((",", ":") if re.match(r'^[\[{]"[^"]*":\S', text) else (", ", ": "))
    return Style(
        encoding,
        indent[1] if indent else None,
        text.isascii() and ESCAPED.search(text) is not None,
        "\r\n" if "\r\n" in text else "\n",
        text[len(text.rstrip()) :],
        separators,
    )


def written(value: Any, style: Style) -> bytes:
    """Return a value as a file of that style."""
    text = json.dumps(value, indent=style.indent, ensure_ascii=style.ascii_only, separators=style.separators)
    return (text.replace("\n", style.newline) + style.end).encode(style.encoding, "surrogatepass")


MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
