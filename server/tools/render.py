"""Results become one compact JSON object that fits the caller's budget, whole items only."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from server.errors import InvalidArguments
from server.models.base import Model, encode, told

DEFAULT_BYTES = 9_000
MAX_BYTES = 45_000
MIN_BYTES = 500
SLACK_BYTES = 200  # what `truncated` and `next_cursor` take
OBJECT_BYTES = 200  # a short object is of no use in pieces
SHORT_BYTES = 40  # ids, names and times are not worth clipping
WHOLE = "result"
WRITTEN = "all of it was done; what is left out here can be read with the get and list actions"
PLAIN = frozenset({type(None), str, int, float, bool, dict})
EMPTY: tuple[object, ...] = (None, "", [], {}, ())


@dataclass(frozen=True)
class Page:
    """One page of a list: the rows found (one more than asked for shows that there is more) and how to go on.

    `key` names the rows in the result, `position` gives the sort values of a row, which the cursor carries. A `total`
    was counted up to `most` and goes beyond it is told as "1000+". `whole` gives the call that reads a row whole: a row
    that is shortened names it as `read`.
    """

    key: str
    rows: Sequence[Any]
    total: int
    limit: int
    position: Callable[[Any], Sequence[str | int]]
    order: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    most: int = 0
    whole: Callable[[Any], dict[str, Any]] | None = None

    @property
    def told(self) -> int | str:
        return f"{self.most}+" if self.most and self.total > self.most else self.total


@dataclass(frozen=True)
class Result:
    """Named parts of a result, and where the rest of it can be read when it has to be cut.

    `hint` is for every list in it, or `hints` for some of them, by name, with the fields of an item in braces; the
    others are not cut then, but come in pieces. One that is of no use in pieces may say itself how many bytes it takes
    at most.
    """

    parts: Model | dict[str, Any]
    hint: str = ""
    max_bytes: int = 0
    hints: Mapping[str, str] = field(default_factory=dict[str, str])


class EncodedItem(str):
    """An item of a list that is JSON text already: what is measured and may be cut again is encoded once."""

    __slots__ = ()


@dataclass(frozen=True)
class Budget:
    """How many bytes a result may take, and from which character on an over-long value is wanted.

    An action that writes takes no offset, so nothing of its result can come in pieces.
    """

    max_bytes: int = DEFAULT_BYTES
    offset: int = 0
    has_pieces: bool = False


def lean(value: object) -> Any:
    """Return JSON values with the null and empty fields of models left out. Plain dicts are data: left as they are."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Model):
        kept: dict[str, Any] = {}
        always = value.ALWAYS
        for name, item in value.__dict__.items():
            if item is None and not always:
                continue
            found = item if type(item) in PLAIN else lean(item)
            if found or found == 0 or name in always:
                kept[name] = found
        return kept
    if isinstance(value, list | tuple):
        return [lean(item) for item in cast(Sequence[object], value)]
    return value


def noticed(result: object, notices: Mapping[str, object]) -> object:
    """Return a result that says something more."""
    if not notices:
        return result
    if isinstance(result, Result):
        return replace(result, parts={**lean(result.parts), **notices})
    return {**lean(cast(Model | dict[str, Any], result)), **notices}


def render(result: object, budget: Budget) -> str:
    """Return the text of a tool result: a JSON object, each item of its top-level lists on its own line."""
    if isinstance(result, Result) and result.max_bytes:
        budget = replace(budget, max_bytes=result.max_bytes)
    if isinstance(result, Page):
        if budget.offset:
            raise InvalidArguments("'offset' continues a cut value. This is a list: it goes on with its next_cursor.")
        rows = result.rows[: result.limit]
        items = [_readable(result, row, lean(row)) for row in rows] if result.whole else [lean(row) for row in rows]
        lines = [told(item) for item in items]
        text = _text({result.key: EncodedItem(_block(lines)), **_about(result, len(lines))})
        return text if _fits(text, budget) else _text(_fit_page(result, items, [*map(EncodedItem, lines)], budget))
    parts = result.parts if isinstance(result, Result) else result
    payload: dict[str, Any] = lean(parts) if isinstance(parts, Model) else _named(cast(dict[str, object], parts))
    text = _text(payload)
    wanted_whole = not (budget.offset and payload)
    return (
        text if _fits(text, budget) and wanted_whole else _text(_fit(payload, budget, _hints(result, payload, budget)))
    )


def _hints(result: object, payload: dict[str, Any], budget: Budget) -> Mapping[str, str]:
    """Return which lists of a result may be cut, and what then shows the rest. Others come in pieces instead.

    A larger max_bytes is no way to the rest: several clients cut longer results themselves, and say nothing.
    """
    if isinstance(result, Result) and result.hints:
        return result.hints
    hint = result.hint if isinstance(result, Result) else ""
    if isinstance(result, Model) or (budget.has_pieces and not hint):
        return {}
    hint = hint or WRITTEN
    return dict.fromkeys(payload, hint.replace("{", "{{").replace("}", "}}"))


def _readable(page: Page, row: object, item: Any) -> Any:
    """Return an item of a page, with the call that reads it whole if it was shortened where it was read."""
    fields = cast(dict[str, Any], item if isinstance(item, dict) else {})
    return {**fields, "read": page.whole(row)} if page.whole and "cut" in fields else cast(object, item)


def reading(call: str, *names: str, **more: object) -> Callable[[Any], dict[str, Any]]:
    """Return what makes the `read` of a row: the call (`tool action`), fields of the row, and arguments beside them."""
    tool, _, action = call.partition(" ")
    given = {name: value for name, value in more.items() if value is not None}
    return lambda row: {"tool": tool, "action": action, **{name: _of_row(row, name) for name in names}, **given}


def _of_row(row: Any, name: str) -> object:
    return cast(dict[str, Any], row)[name] if isinstance(row, dict) else getattr(row, name)


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
    except (ValueError, RecursionError):
        found = None
    parts = cast(list[object], found) if isinstance(found, list) else []
    if parts[:1] != [order] or len(parts) != length + 1 or not all(type(part) in (str, int) for part in parts):
        raise InvalidArguments(
            "'cursor' is not one that this list gave. Pass the next_cursor of the previous page with the same filters, "
            "or leave it out to start anew."
        )
    return cast(list[str | int], parts)[1:]


def _fit_page(page: Page, items: list[Any], lines: list[EncodedItem], budget: Budget) -> dict[str, Any]:
    """Return as many rows as fit, but at least one, however small the budget: then its long values are shortened."""
    room = budget.max_bytes - length(_page(page, [], 0)) - SLACK_BYTES
    kept = max(affordable(lines, room), 1)
    while (excess := length(payload := _page(page, lines, kept)) - budget.max_bytes) > 0 and kept > 1:
        kept -= 1
    if excess <= 0 or not items:
        return payload
    room = _size(lines[0]) - excess
    if not isinstance(items[0], dict):
        return _page(page, [_clip(items[0], room), *items[1:]], 1)
    item = dict(cast(dict[str, Any], items[0]))
    own = item.pop("read", None)
    read = {"read": page.whole(page.rows[0]) if page.whole else own} if page.whole or own else {}
    if room < 2 * _size(read):
        return _page(page, [_clip(items[0], room), *items[1:]], 1)
    return _page(page, [{**_clip(item, room - _size(read)), **read}, *items[1:]], 1)


def _page(page: Page, items: Sequence[Any], kept: int) -> dict[str, Any]:
    payload: dict[str, Any] = {page.key: items[:kept], **_about(page, kept)}
    if kept < len(items):
        payload["truncated"] = {"omitted": len(items) - kept, "hint": "pass next_cursor"}
    return payload


def _about(page: Page, kept: int) -> dict[str, Any]:
    """Return what a page says besides the rows that are kept: how many there are, and where the others begin."""
    payload: dict[str, Any] = {"total": page.told, **_named(page.extra)}
    if 0 < kept < len(page.rows):
        payload["next_cursor"] = encode_cursor(page.order, page.position(page.rows[kept - 1]))
    return payload


def _fit(payload: dict[str, Any], budget: Budget, hints: Mapping[str, str]) -> dict[str, Any]:
    """Cut the longest lists from their ends; if that is not enough, give the longest value in pieces."""
    if length(payload) > budget.max_bytes:
        cut = _cut_lists(payload, budget.max_bytes, hints)
        payload = cut if length(cut) <= budget.max_bytes or not _one_is_long(payload, budget, hints) else payload
    fits = length(payload) <= budget.max_bytes
    return payload if fits and not budget.offset else _piece(payload, budget)


def _one_is_long(payload: dict[str, Any], budget: Budget, hints: Mapping[str, str]) -> bool:
    """Return whether one value that may not be cut makes it too long, so that cutting others would be in vain."""
    longest = max(payload, key=lambda name: _size(payload[name]))
    others = {name: value for name, value in payload.items() if name != longest}
    may_be_cut = isinstance(payload[longest], list) and longest in hints
    return not may_be_cut and _room(others, longest, budget) >= MIN_BYTES // 4


def _cut_lists(payload: dict[str, Any], limit: int, hints: Mapping[str, str]) -> dict[str, Any]:
    """Drop items from the ends of the longest lists that have a hint, and say how many and what shows them."""
    whole, payload = payload, dict(payload)
    told: dict[str, Any] = {"omitted": 10**6, "hint": ""}
    while key := _cut_longest_list(payload, length({**payload, "truncated": told}) - limit, hints):
        told["hint"] = "; ".join(dict.fromkeys(_missing(whole, payload, hints, key)))
    omitted = sum(len(whole[name]) - len(payload[name]) for name in payload if isinstance(payload[name], list))
    return {**payload, "truncated": {**told, "omitted": omitted}} if omitted else payload


def _missing(whole: dict[str, Any], cut: dict[str, Any], hints: Mapping[str, str], last: str) -> Iterable[str]:
    """Return what shows the first item that was dropped from each list."""
    names = [name for name in hints if isinstance(whole.get(name), list) and (len(cut[name]) < len(whole[name]))]
    for name in names or [last]:
        item = whole[name][len(cut[name])]
        yield hints[name].format(**(cast(dict[str, Any], item) if isinstance(item, dict) else {}))


def _cut_longest_list(payload: dict[str, Any], excess: int, hints: Mapping[str, str]) -> str:
    """Drop items worth `excess` bytes from the end of the longest top-level list with a hint, and return its name."""
    lists = {key: _size(payload[key]) for key in hints if isinstance(payload.get(key), list) and payload[key]}
    if excess <= 0 or not lists:
        return ""
    key = max(lists, key=lambda name: lists[name])
    items = payload[key]
    kept = min(affordable(items, lists[key] - excess), len(items) - 1)
    payload[key] = items[:kept]
    return key


def _piece(payload: dict[str, Any], budget: Budget) -> dict[str, Any]:
    """Replace the longest value by `text`, the part of it from `offset` on, and say where to go on.

    When the others are too long as well, the whole result is the value, as JSON text.
    """
    longest = max(payload, key=lambda name: _size(payload[name]))
    others = {name: value for name, value in payload.items() if name != longest}
    if (room := _room(others, longest, budget)) < MIN_BYTES // 4:
        return _piece({WHOLE: told(payload)}, budget)
    whole = _as_text(payload[longest])
    text = _prefix(whole[budget.offset :], room)
    end = budget.offset + len(text)
    piece: dict[str, Any] = {**others, "field": longest, "text": text, "length": len(whole)}
    return {**piece, "next_offset": end} if end < len(whole) else piece


def _fits(text: str, budget: Budget) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= budget.max_bytes


def _room(others: dict[str, Any], name: str, budget: Budget) -> int:
    return budget.max_bytes - length({**others, "field": name, "text": "", "length": 10**9, "next_offset": 10**9})


def _prefix(text: str, room: int) -> str:
    """Return as much of the start of `text` as takes at most `room` bytes once it is JSON."""
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle]) <= room else (low, middle - 1)
    return text[: max(low, 1)]


def _clip(item: Any, room: int) -> Any:
    """Shorten the longest values of one item that alone exceeds the budget, and say in it which."""
    if not isinstance(item, dict):
        return _prefix(item, room) if isinstance(item, str) else item
    whole = clipped = cast(dict[str, Any], item)
    for text, other in _caps(room):
        names = [name for name, value in whole.items() if _size(value) > (text if isinstance(value, str) else other)]
        clipped = {**whole, **{name: _prefix(_as_text(whole[name]), text) for name in names}, "clipped": names}
        if _size(clipped) <= room:
            break
    return clipped


def _caps(room: int) -> Iterator[tuple[int, int]]:
    """Yield how many bytes a text, and anything else, may keep: ever fewer."""
    cap = room
    while cap > SHORT_BYTES:
        yield cap, max(cap, OBJECT_BYTES)
        cap //= 2
    yield SHORT_BYTES, OBJECT_BYTES
    yield SHORT_BYTES, SHORT_BYTES


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else told(value)


def affordable(items: Sequence[Any], room: int) -> int:
    """Return how many of the first items fit into `room` bytes."""
    for count, item in enumerate(items):
        room -= _size(item) + 2
        if room < 0:
            return count
    return len(items)


def _encoded(value: object) -> str:
    return value if isinstance(value, EncodedItem) else told(value)


def _size(value: object) -> int:
    return size_of(_encoded(value))


def length(payload: dict[str, Any]) -> int:
    return size_of(_text(payload))


def size_of(text: str) -> int:
    """Return the bytes that a text takes."""
    return len(text.encode("utf-8", "surrogatepass"))


def _text(payload: dict[str, Any]) -> str:
    if not any(isinstance(value, list | EncodedItem) for value in payload.values()):
        return told(payload)
    return "{" + ",".join(f"{told(key)}:{_lines(value)}" for key, value in payload.items()) + "}"


def _lines(value: object) -> str:
    return _block([*map(_encoded, cast(list[object], value))]) if isinstance(value, list) else _encoded(value)


def _block(lines: Sequence[str]) -> str:
    """Return a list of JSON, an item a line."""
    return "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"
