"""What an action answered, as a person reads it: what is short first, then long texts, then lists."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from rich.cells import cell_len

from server.cli.screen import QUIET, Screen, Styled
from server.models.base import encode

TIMES = ("_at", "since", "timestamp")  # how names of times end
SHORT = 60  # characters of a value that stands in a list in a row


def draw(screen: Screen, kind: str, found: Mapping[str, Any]) -> None:
    """Print all of an answer."""
    screen.heading(kind.replace("_", " "))
    _draw_object(screen, found, 0)


def _draw_object(screen: Screen, found: Mapping[str, Any], indent: int) -> None:
    short = {name: value for name, value in found.items() if _is_short(value)}
    screen.facts(((_name(name), _told(screen, name, value)) for name, value in short.items()), indent)
    for name, value in found.items():
        if name not in short:
            _draw_long(screen, name, value, indent)


def _draw_long(screen: Screen, name: str, value: object, indent: int) -> None:
    if not indent:
        screen.heading(_name(name))
    else:
        screen.line(Styled(f"{_name(name)}:", QUIET), indent=indent)
    if isinstance(value, str):
        screen.block(value, indent + 2)
    elif isinstance(value, Mapping):
        _draw_object(screen, cast(Mapping[str, Any], value), indent + 2)
    else:
        _draw_list(screen, cast(Sequence[object], value), indent + 2)


def _draw_list(screen: Screen, items: Sequence[object], indent: int) -> None:
    for place, item in enumerate(items):
        if isinstance(item, Mapping):
            if place:
                screen.line()
            _draw_object(screen, cast(Mapping[str, Any], item), indent)
        elif isinstance(item, str):
            screen.line("- ", item, indent=indent)
        else:
            screen.line("- ", encode(item), indent=indent)


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return "\n" not in value
    if isinstance(value, list):
        items = cast(list[object], value)
        return all(isinstance(item, str | int | float) and cell_len(str(item)) <= SHORT for item in items)
    return not isinstance(value, Mapping) or not value


def _told(screen: Screen, name: str, value: object) -> str:
    if isinstance(value, str) and name.endswith(TIMES) and not screen.is_plain:
        return f"{value}  ({screen.when(value)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, cast(Iterable[object], value)))
    return value if isinstance(value, str) else encode(value)


def _name(name: str) -> str:
    return name.replace("_", " ")
