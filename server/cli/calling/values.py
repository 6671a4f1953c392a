"""Words of a command line as arguments of an action: each as the schema of its parameter wants it."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from server.errors import InvalidArguments
from server.registry import Param, Schema

LONGEST = 16 * 1024 * 1024  # of a file; a stored value is at most a sixteenth of it
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
STDIN = ("-", "@-")


def split(words: Iterable[str]) -> dict[str, list[str]]:
    """Return what was given to each name, in order; a value may hold any number of `=`."""
    given: dict[str, list[str]] = {}
    for word in words:
        name, is_pair, value = word.partition("=")
        if word.startswith("-") and len(word) > 1:
            raise InvalidArguments(f"{_brief(word)} is no option of `call`. Parameters are written {_as_pair(word)}.")
        if not is_pair or not name:
            raise InvalidArguments(f"{_brief(word)} is no parameter. Parameters are written name=value.")
        given.setdefault(name, []).append(value)
    return given


def _as_pair(word: str) -> str:
    name, _, value = word.lstrip("-").partition("=")
    return f"{name.replace('-', '_')[:80]}={value[:80] or 'VALUE'}"


def _brief(word: str) -> str:
    return repr(word if len(word) <= 80 else f"{word[:79]}…")


def read(given: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the same with what files and stdin hold in the place of their names."""
    if len(wanted := [name for name, texts in given.items() for text in texts if text in STDIN]) > 1:
        raise InvalidArguments(
            f"{' and '.join(wanted)} cannot both be read from stdin. Put one into a file: name=@FILE."
        )
    return {name: [_read(name, text) for text in texts] for name, texts in given.items()}


def _read(name: str, text: str) -> str:
    if text in STDIN:
        return _decoded(name, "stdin", sys.stdin.buffer.read(LONGEST + 1))
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    path = text[1:]
    try:
        with Path(path).expanduser().open("rb") as file:
            return _decoded(name, repr(path), file.read(LONGEST + 1))
    except (OSError, RuntimeError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InvalidArguments(
            f"{name}: the file {path!r} cannot be read: {why}. A text that begins with @ is written {name}=@{text[:80]}"
        ) from error


def _decoded(name: str, source: str, content: bytes) -> str:
    if len(content) > LONGEST:
        raise InvalidArguments(f"{name}: {source} holds more than {LONGEST} bytes. Send less.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArguments(f"{name}: {source} is not text in UTF-8 (byte {error.start + 1}).") from error


def value(param: Param, texts: list[str]) -> object:
    """Return what texts mean for a parameter. What means nothing stays a text, for the check to say what is wrong."""
    schema = param.full_schema
    kinds = _kinds(schema, schema.get("$defs", {}))
    if "array" in kinds:
        return _items(param, kinds["array"], texts)
    if len(texts) > 1:
        raise InvalidArguments(f"{param.name} is given {len(texts)} times, and takes one value.")
    found = _single(param.name, kinds, texts[0])
    if isinstance(found, str) and found.endswith("\n") and param.validate(found)[1]:
        return found.removesuffix("\n").removesuffix("\r")  # of a file, where what it is for takes one line
    return found


def _items(param: Param, item: Schema, texts: list[str]) -> list[object]:
    kinds = _kinds(item, param.full_schema.get("$defs", {}))
    if len(texts) == 1 and not texts[0].strip():
        return []
    if len(texts) == 1 and texts[0].lstrip().startswith("["):
        return cast(list[object], _json(param.name, texts[0]))
    return [_single(param.name, kinds, text) for text in texts]


def _single(name: str, kinds: Mapping[str, Schema], text: str) -> object:
    plain = text.strip()
    if "integer" in kinds and WHOLE_NUMBER.fullmatch(plain):
        return int(plain)
    if "number" in kinds and (number := _number(plain)) is not None:
        return number
    if "boolean" in kinds and plain.lower() in TRUTHS:
        return TRUTHS[plain.lower()]
    return _json(name, text) if "object" in kinds and plain.startswith("{") else text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArguments(f"{name} is no JSON: {error}. A long one is better in a file: {name}=@FILE.") from error


def _kinds(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the kinds of JSON that a schema allows; an array with what its items are."""
    if "$ref" in schema:
        return _kinds(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    arms: list[Schema] = schema.get("anyOf", [])
    if arms:
        return {kind: found for arm in arms for kind, found in _kinds(arm, definitions).items()}
    kind: Any = schema.get("type", "object")
    return {kind: schema.get("items", {})}
