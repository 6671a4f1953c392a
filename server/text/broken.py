"""Text that is none: half of a surrogate pair, which no database and no answer can hold."""

from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True)
class Broken:
    """Where a value holds text that is none, and what is wrong with it."""

    path: tuple[int | str, ...]
    problem: str


def broken_text(value: object, path: tuple[int | str, ...] = ()) -> Broken | None:
    """Return the first half of a surrogate pair that stands alone in the texts and names of a JSON value."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(value[error.start]):04x}"
            return Broken(path, f"holds {half}, half of a surrogate pair, which is no character. Send valid Unicode")
        return None
    if isinstance(value, dict):
        items: list[tuple[int | str, object]] = [*cast(dict[str, object], value).items()]
    else:
        items = [*enumerate(cast(list[object], value))] if isinstance(value, list) else []
    for name, item in items:
        if broken := broken_text(name, path) or broken_text(item, (*path, name)):
            return broken
    return None
