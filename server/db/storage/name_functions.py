"""Names in SQL: every connection of ours knows `composed()` and `folded()`, those of `server.text.names`."""

from collections.abc import Callable, Iterable

from server.text.names import composed, folded


def _of_text(function: Callable[[str], str]) -> Callable[[object], str | None]:
    return lambda value: function(value) if isinstance(value, str) else None


FUNCTIONS = {function.__name__: _of_text(function) for function in (composed, folded)}


def same(column: str, param: str, name: str | None) -> str:
    """Return the condition that a column holds the name in a parameter. An ASCII name has one form: an index helps."""
    plain = name is None or name.isascii()
    return f"{column} = :{param}" if plain else f"composed({column}) = composed(:{param})"


def starts(column: str, param: str) -> str:
    """Return the condition that a name in a column starts with the text in a parameter."""
    return f"substr(composed({column}), 1, length(composed(:{param}))) = composed(:{param})"


def caseless(names: Iterable[str]) -> str:
    """Return the function that compares names without case: of ASCII ones that with which indexes are made."""
    return "lower" if all(name.isascii() for name in names) else "folded"
