"""How a parameter of an action is asked for in a form, and what a person typed there means."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from server.registry import Param
from server.web.pages.forms import outlines

LONG = frozenset(
    {"description", "notes", "append_notes", "note", "content", "reason", "task", "pause_user_notes", "summary", "plan"}
)
KINDS = {"boolean": "check", "integer": "number", "number": "number", "array": "lines"}
ROWS, MOST_ROWS = 4, 16
OUTLINE = "A name, a colon and a value a line; what belongs to a name stands below it, indented. Or JSON."
BETWEEN = re.compile(r"\n(?:[^\S\n]*\n)+(?=\S)")  # paragraphs
GROUP = "# "  # begins a line that names what the lines after it belong to


def field(param: Param, value: str, *, is_fixed: bool, choices: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return how a parameter is asked for, with what stands there already and what there is to choose from."""
    said = param.describe()
    kind = "select" if said.get("enum") else KINDS.get(said["type"], "text")
    if kind == "text" and (param.name in LONG or said["type"] == "object"):
        kind = "area"
    chosen = [line for line in value.split("\n") if line]
    if choices:
        kind = "several" if said["type"] == "array" else "choice"
    return {
        "name": param.name,
        "kind": kind,
        "options": said.get("enum", ()),
        "choices": _offered(choices, chosen) if choices else [],
        "chosen": chosen,
        "required": param.required,
        "hint": "" if _shape(said) else said.get("description", ""),  # those of objects say how they are in JSON
        "typed": "" if choices else _typed_as(said),
        "value": value,
        "rows": min(max(ROWS, value.count("\n") + 2), MOST_ROWS),
        "is_fixed": is_fixed,
        "default": "" if param.required or param.default in (None, (), False) else str(param.default),
    }


def _offered(choices: Sequence[tuple[str, str]], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is chosen already, in its order and even if it is not among the choices, before the other choices."""
    names = dict(choices)
    return [*((one, names.get(one, one)) for one in chosen), *(one for one in choices if one[0] not in chosen)]


def _typed_as(said: Mapping[str, Any]) -> str:
    """Return what a person is told of how to type a list or an object."""
    shape = _shape(said)
    if said["type"] == "array":
        if shape is None:
            return "One a line."
        if (main := _main(shape)) is None:
            return _entries_typed_as(shape)
        group = "a phase" if main == "name" and "steps" in shape else "the phase" if "phase" in shape else ""
        return (
            f"One a line; a line that begins with {GROUP.strip()} names {group} of those below."
            if group
            else "One a line."
        )
    return "" if said["type"] != "object" or (shape and _main(shape)) else OUTLINE


def _entries_typed_as(shape: Mapping[str, Any]) -> str:
    needed = [name.removesuffix("*") for name in shape if name.endswith("*")]
    other = [name for name in shape if not name.endswith("*")]
    names = [f"It needs {', '.join(needed)}." if needed else "", f"It may have {', '.join(other)}." if other else ""]
    return " ".join(["An entry a paragraph: a name, a colon and a value a line.", *filter(None, names), "Or JSON."])


def _shape(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the fields of an object, or of those in a list; None for a list of something else."""
    held = said.get("items", {}) if said["type"] == "array" else said
    return held.get("fields", {}) if held.get("type") == "object" else None


def _main(shape: Mapping[str, Any]) -> str | None:
    """Return the one field that an object cannot do without, if it is one alone."""
    needed = [name.removesuffix("*") for name in shape if name.endswith("*")]
    return needed[0] if len(needed) == 1 else None


def text_of(value: object) -> str:
    """Return a value as a field shows it."""
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and (outline := outlines.written(cast(Mapping[str, object], value))):
        return outline
    rows = cast(list[object], value) if isinstance(value, list) else []
    if rows and all(isinstance(one, str) for one in rows):
        return "\n".join(map(str, rows))
    return json.dumps(value, ensure_ascii=False, indent=2)


def value_of(param: Param, text: str) -> object:
    """Return what a text means for a parameter. What it cannot mean stays as it is, for the action to refuse."""
    said = param.describe()
    text = text.replace("\r\n", "\n")
    if said["type"] == "array" and not text.lstrip().startswith("["):
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if (shape := _shape(said)) is None:
            return lines
        return _list(shape, main, lines) if (main := _main(shape)) else _entries(text)
    if said["type"] == "object" and not text.lstrip().startswith("{"):
        return _object(_shape(said) or {}, text)
    if said["type"] in ("array", "object", "boolean", "integer", "number"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _list(shape: Mapping[str, Any], main: str, lines: Sequence[str]) -> list[Any]:
    if main == "name" and "steps" in shape:
        return _phases(lines)
    found: list[dict[str, Any]] = []
    phase: dict[str, str] = {}
    for line in lines:
        if "phase" in shape and line.startswith(GROUP):
            phase = {"phase": line.removeprefix(GROUP).strip()}
        else:
            found.append({main: line, **phase})
    return found


def _entries(text: str) -> object:
    """Return the objects that stand in paragraphs, an outline each. One that begins indented belongs to that above."""
    try:
        return [outlines.read(part) for part in BETWEEN.split(text.strip("\n"))]
    except ValueError:
        return text


def _phases(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Return phases with their steps; steps that stand above the first name are of one called Steps."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if line.startswith(GROUP) or not found:
            found.append({"name": line.removeprefix(GROUP).strip() if line.startswith(GROUP) else "Steps", "steps": []})
        if not line.startswith(GROUP):
            found[-1]["steps"].append({"task": line})
    return found


def _object(shape: Mapping[str, Any], text: str) -> object:
    if main := _main(shape):
        return {main: text.strip()}
    try:
        return outlines.read(text)
    except ValueError:
        return text
