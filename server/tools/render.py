"""Results become one compact JSON object that fits the caller's budget, whole items only."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from server.errors import InvalidArguments
from server.models.base import Model, encode

DEFAULT_BYTES = 9_000
MAX_BYTES = 45_000
MIN_BYTES = 500
SLACK_BYTES = 200  # for `truncated`, `next_cursor` and `next_offset` themselves
EMPTY: tuple[object, ...] = (None, "", [], {}, ())


@dataclass(frozen=True)
class Page:
    """One page of a list: the rows found (one more than asked for shows that there is more) and how to go on.

    `key` names the rows in the result, `position` gives the sort values of a row, which the cursor carries.
    """

    key: str
    rows: Sequence[Any]
    total: int
    limit: int
    position: Callable[[Any], Sequence[str | int]]
    order: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Result:
    """Named parts of a result, and where the rest of it can be read when it has to be cut."""

    parts: Model | dict[str, Any]
    hint: str = ""


@dataclass(frozen=True)
class Budget:
    """How many bytes a result may take, and from which character on an over-long value is wanted."""

    max_bytes: int = DEFAULT_BYTES
    offset: int = 0


def lean(value: object) -> Any:
    """Return JSON values with the null and empty fields of models left out. Plain dicts are data: left as they are."""
    if isinstance(value, Model):
        fields = ((name, lean(getattr(value, name))) for name in type(value).model_fields)
        return {name: item for name, item in fields if name in value.ALWAYS or item not in EMPTY}
    if isinstance(value, list | tuple):
        return [lean(item) for item in cast(Sequence[object], value)]
    return value


def render(result: object, budget: Budget) -> str:
    """Return the text of a tool result: a JSON object, each item of its top-level lists on its own line."""
    hint = result.hint if isinstance(result, Result) else ""
    if isinstance(result, Page):
        return _text(_fit_page(result, budget))
    parts = result.parts if isinstance(result, Result) else result
    payload = lean(parts) if isinstance(parts, Model) else _named(cast(dict[str, object], parts))
    return _text(_fit(payload, budget, hint))


def _named(parts: Mapping[str, object]) -> dict[str, Any]:
    """Return named parts with the absent ones left out."""
    return {name: lean(part) for name, part in parts.items() if part not in EMPTY}


def encode_cursor(order: str, position: Sequence[str | int]) -> str:
    return base64.urlsafe_b64encode(encode([order, *position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, order: str, length: int) -> list[str | int] | None:
    """Return the position a cursor of this list carries; None without a cursor."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if (
        not isinstance(found, list)
        or cast(list[object], found)[:1] != [order]
        or len(cast(list[object], found)) != length + 1
    ):
        raise InvalidArguments(
            "'cursor' is not one that this list gave. Pass the next_cursor of the previous page with the same filters, "
            "or leave it out to start anew."
        )
    return cast(list[str | int], found)[1:]


def _fit_page(page: Page, budget: Budget) -> dict[str, Any]:
    rows = page.rows[: page.limit]
    items = [lean(row) for row in rows]
    payload: dict[str, Any] = {page.key: items, "total": page.total, **_named(page.extra)}
    kept = _affordable(items, budget.max_bytes - _size({**payload, page.key: []}) - SLACK_BYTES)
    if items and not kept:
        items, kept = [_clip(items[0], budget.max_bytes - SLACK_BYTES * 2), *items[1:]], 1
    payload[page.key] = items[:kept]
    if kept < len(page.rows):
        payload["next_cursor"] = encode_cursor(page.order, page.position(page.rows[kept - 1]))
    if kept < len(rows):
        payload["truncated"] = {"omitted": len(rows) - kept, "hint": "pass next_cursor, or a larger max_bytes"}
    return payload


def _fit(payload: dict[str, Any], budget: Budget, hint: str) -> dict[str, Any]:
    """Cut the longest lists from their ends; if that is not enough, give the longest value in pieces."""
    if _size(payload) <= budget.max_bytes and not budget.offset:
        return payload
    payload, omitted = dict(payload), 0
    while omitted_now := _cut_longest_list(payload, budget.max_bytes - SLACK_BYTES):
        omitted += omitted_now
    if omitted:
        payload["truncated"] = {"omitted": omitted, "hint": hint or "pass a larger max_bytes or narrow the call"}
    fits = _size(payload) <= budget.max_bytes
    return payload if fits and not budget.offset else _piece(payload, budget)


def _cut_longest_list(payload: dict[str, Any], limit: int) -> int:
    """Drop items from the end of the longest top-level list until it fits; return how many went."""
    excess = _size(payload) - limit
    lists = {key: _size(payload[key]) for key in payload if isinstance(payload[key], list) and payload[key]}
    if excess <= 0 or not lists:
        return 0
    key = max(lists, key=lambda name: lists[name])
    items = payload[key]
    kept = min(_affordable(items, lists[key] - excess), len(items) - 1)
    payload[key] = items[:kept]
    return len(items) - kept


def _piece(payload: dict[str, Any], budget: Budget) -> dict[str, Any]:
    """Replace the longest value by `text`, the part of it from `offset` on, and say where to go on."""
    field_name = max(payload, key=lambda name: _size(payload[name]))
    value = payload.pop(field_name)
    whole = value if isinstance(value, str) else encode(value)
    room = max(budget.max_bytes - _size(payload) - SLACK_BYTES, MIN_BYTES)
    text = _prefix(whole[budget.offset :], room)
    end = budget.offset + len(text)
    piece: dict[str, Any] = {**payload, "field": field_name, "text": text, "length": len(whole)}
    return {**piece, "next_offset": end} if end < len(whole) else piece


def _prefix(text: str, room: int) -> str:
    """Return as much of the start of `text` as takes at most `room` bytes once it is JSON."""
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle]) <= room else (low, middle - 1)
    return text[: max(low, 1)]


def _clip(item: Any, room: int) -> Any:
    """Shorten the longest texts of one item that alone exceeds the budget, and say so in it."""
    if not isinstance(item, dict):
        return item
    clipped: dict[str, Any] = dict(cast(dict[str, Any], item))
    names: list[str] = []
    while _size(clipped) > room:
        name = max((n for n in clipped if n not in names), key=lambda n: _size(clipped[n]), default=None)
        if name is None:
            break
        names.append(name)
        value = clipped[name]
        clipped[name] = _prefix(value if isinstance(value, str) else encode(value), room // 4)
    return {**clipped, "clipped": names}


def _affordable(items: Sequence[Any], room: int) -> int:
    """Return how many of the first items fit into `room` bytes."""
    for count, item in enumerate(items):
        room -= _size(item) + 2
        if room < 0:
            return count
    return len(items)


def _size(value: object) -> int:
    return len(encode(value).encode("utf-8", "surrogatepass"))


def _text(payload: dict[str, Any]) -> str:
    return "{" + ",".join(f"{encode(key)}:{_lines(value)}" for key, value in payload.items()) + "}"


def _lines(value: object) -> str:
    items = cast(list[object], value) if isinstance(value, list) else []
    return "[\n" + ",\n".join(map(encode, items)) + "\n]" if items else encode(value)
