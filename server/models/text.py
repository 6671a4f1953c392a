"""The texts and values that callers send: what each may hold, and how much of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from server.errors import TooLarge
from server.models.base import encode, timestamp
from server.text.names import composed, is_reserved

VALUE_BYTES = 1024 * 1024
DATA_DEPTH = 100
LINE_LENGTH = 500
TASK_LENGTH = 10_000


def _one_line(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("control characters are not allowed here")
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed here")
    return text.strip()


def _no_person(name: str) -> str:
    if is_reserved(name):
        raise ValueError(
            f"{name!r} stands for a person, and whoever calls a tool is an agent: send a name of your own, such as "
            "your role"
        )
    return name


def whole_text(text: str) -> str:
    """Return a text that may be stored, or raise ValueError, or TooLarge for one over 1 MiB."""
    if "\0" in text:
        raise ValueError("NUL characters are not allowed")
    if len(text.encode("utf-8", "replace")) > VALUE_BYTES:
        raise _too_large()
    return text


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return whole_text(text)


def moment(text: str) -> str:
    """Return a time as a timestamp of ours, or raise ValueError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("must be a time such as 2030-01-31 or 2030-01-31T12:00:00Z") from error
    try:
        return timestamp(found if found.tzinfo else found.replace(tzinfo=UTC))
    except OverflowError as error:
        raise ValueError("out of range") from error


def _data(value: dict[str, Any]) -> dict[str, Any]:
    layer: list[object] = [value]
    for _ in range(DATA_DEPTH):
        layer = [child for node in layer for child in _children(node)]
        if not layer:
            break
    else:
        raise ValueError(f"nested deeper than {DATA_DEPTH} levels")
    try:
        text = encode(value)
    except ValueError as error:
        raise ValueError("NaN and infinity are no numbers of JSON") from error
    if len(text.encode("utf-8", "replace")) > VALUE_BYTES:
        raise _too_large()
    return value


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return cast(dict[str, object], node).values()
    return cast(list[object], node) if isinstance(node, list) else ()


def _too_large() -> TooLarge:
    return TooLarge(
        f"A stored value has at most {VALUE_BYTES} bytes (1 MiB). Split it into several, or store a summary."
    )


Line = Annotated[str, Field(max_length=LINE_LENGTH), AfterValidator(_one_line)]
Name = Annotated[str, Field(max_length=64), AfterValidator(_one_line)]
AgentName = Annotated[Name, AfterValidator(composed)]  # in one form, so that claims are found by it
AgentNameOrEmpty = Annotated[str, Field(max_length=64), AfterValidator(_printable), AfterValidator(composed)]
OwnName = Annotated[AgentName, AfterValidator(_no_person)]  # which the caller takes for itself or another agent
Id = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
GateName = Annotated[Name, AfterValidator(composed)]
GateNames = Annotated[list[GateName], Field(max_length=20)]
Text = Annotated[str, AfterValidator(whole_text)]
SomeText = Annotated[str, AfterValidator(_some_text)]
Task = Annotated[str, Field(max_length=TASK_LENGTH), AfterValidator(_some_text)]
Data = Annotated[dict[str, Any], AfterValidator(_data)]
Lines = Annotated[list[Line], Field(max_length=1000)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Moment = Annotated[str, Field(max_length=40, description="ISO-8601 time, UTC"), AfterValidator(moment)]
Index = Annotated[int, Field(ge=0)]
