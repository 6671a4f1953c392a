"""What every model shares: rows, JSON columns, ids and timestamps."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Protocol, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import to_json

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 12
ID_EPOCH = 1_735_689_600  # 2025-01-01; 30 bits of seconds reach 2059
RANDOM_BITS = 30


class Model(BaseModel):
    """A frozen value. `defer_build` keeps the start of the server free of work that a call may never need.

    Results leave out null and empty fields, but for those named in ALWAYS.
    """

    ALWAYS: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, defer_build=True)


class Described(Model):
    """A part of a call as a caller describes it. A field that it does not know is refused; null stands for absent."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in cast(dict[str, object], given).items() if value is not None}


class Columns(Protocol):
    """A row as the driver gives it: values by column name."""

    def keys(self) -> Iterable[str]: ...
    def __iter__(self) -> Iterator[Any]: ...  # over the values, unless it is a dict
    def __getitem__(self, name: str, /) -> Any: ...


def as_dict(row: Columns) -> dict[str, Any]:
    """Return the values of a row by column name. To ask a driver's row for each name takes three times as long."""
    return cast(dict[str, Any], row) if isinstance(row, dict) else dict(zip(row.keys(), row, strict=True))


def shown(rows: Sequence[Columns], forms: Mapping[str, Callable[[Any], Any]]) -> list[dict[str, Any]]:
    """Return the rows of one query as results tell them, without what is empty: no model stands between.

    `forms` gives the columns that are told otherwise than they are stored.
    """
    names = tuple(rows[0].keys()) if rows else ()
    found = [
        {name: value for name, value in zip(names, row, strict=False) if value is not None and value != ""}
        for row in rows
    ]
    for name in forms.keys() & set(names):
        for one in found:
            if name in one and (value := forms[name](one[name])):
                one[name] = value
            else:
                one.pop(name, None)
    return found


class Row(Model):
    """A database row. Columns that the model does not name are ignored."""

    @classmethod
    def of(cls, row: Columns) -> Self:
        return cls.model_validate(as_dict(row))


def _decode(value: object) -> object:
    if value == "[]":
        return list[object]()
    return json.loads(value) if isinstance(value, str) else value


def _only_true(value: object) -> bool | None:
    return True if value else None


Flag = Annotated[bool | None, BeforeValidator(_only_true)]  # a result says yes, or nothing
Json = Annotated[Any, BeforeValidator(_decode)]
Strings = Annotated[list[str], BeforeValidator(_decode), Field(default_factory=list)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_decode), Field(default_factory=dict)]


_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), allow_nan=False)


def encode(value: object) -> str:
    """Return `value` as compact JSON text, the one form in which JSON is stored."""
    return _encoder.encode(value)


def told(value: object) -> str:
    """Return `value` as compact JSON text, in a quarter of the time of `encode`. A sum beyond all numbers is null."""
    try:
        return to_json(value, inf_nan_mode="null").decode()
    except ValueError:  # half a pair, or nested too deeply
        return encode(value)


def timestamp(moment: datetime) -> str:
    """Return ISO-8601 UTC text with milliseconds and `Z`, which sorts like the time it names."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(moment: str, seconds: float) -> str:
    """Return the timestamp `seconds` after the timestamp `moment`, which may come from a clock that was far wrong."""
    start = datetime.fromisoformat(moment)
    room = datetime.max.replace(tzinfo=start.tzinfo) - start
    return timestamp(start + min(timedelta(seconds=seconds), room))


class _IdSource:
    """Hands out 60-bit numbers that grow within a process: seconds since the epoch, then a random start."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        fresh = (int(time.time()) - ID_EPOCH) << RANDOM_BITS | secrets.randbits(RANDOM_BITS - 1)
        with self._lock:
            same_second = fresh >> RANDOM_BITS <= self._last >> RANDOM_BITS
            self._last = self._last + 1 + secrets.randbelow(1 << 12) if same_second else fresh
            return self._last


_ids = _IdSource()


def new_id(prefix: str) -> str:
    """Return `prefix_` and 12 lower-case base-32 characters that sort by time of creation."""
    number, text = _ids.next(), ""
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, 32)
        text = ALPHABET[digit] + text
    return f"{prefix}_{text}"
