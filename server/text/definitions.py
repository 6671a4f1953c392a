"""What the files of agents, instructions and skills hold: their front matter as fields, what is wrong with these, and
the file that they make.

The forms are `.agent.md` and `.instructions.md` as VS Code reads them, and `SKILL.md` of the Agent Skills format, which
has a place for anything else: its `metadata`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from server.errors import ProjectMemoryError
from server.text import front_matter, globs
from server.text.names import is_device

AGENT, INSTRUCTION, SKILL = "agent", "instruction", "skill"
NAME_LENGTH = 64
DESCRIPTION_LENGTH = 1024
COMPATIBILITY_LENGTH = 500
MOST_GLOBS = 100
NAME = re.compile(r"[^\W_](?:[\w .-]*[\w])?")
SKILL_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
GLOBS = ("applyTo", "applies_to", "globs", "paths")  # VS Code, our own older files, Cursor, Claude Code
OF_SKILL = ("category", "tags", "languages", "frameworks")
LISTS = ("tags", "languages", "frameworks")
# What the Agent Skills format names, and what Claude Code and VS Code read besides.
SKILL_KEYS = {
    "license", "compatibility", "allowed-tools", "metadata", "argument-hint", "user-invocable",
    "disable-model-invocation", "model", "context", "agent", "hooks",
}  # fmt: skip
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def file_name(name: str) -> str:
    """Return a name as that of a file on any system, in lower case with hyphens; empty if nothing of it is left."""
    told = re.sub(r"[^\w.-]+", "-", WORDS.sub("-", name).lower()).strip("-._")
    return f"x-{told}" if is_device(told) else told


def fields(kind: str, meta: Mapping[str, Any], body: str, name: str) -> dict[str, Any]:
    """Return the fields of a definition; `name` is that of its file, if the front matter has none."""
    rest = dict(meta)
    own_name = rest.pop("name", None)
    common: dict[str, Any] = {
        "name": own_name.strip() if isinstance(own_name, str) and own_name.strip() else name,
        "description": _line(rest.pop("description", None)),
        "body": body,
    }
    if kind == INSTRUCTION:
        found = [_globs(rest.pop(key)) for key in GLOBS if key in rest]
        common["applies_to"] = next(iter([*filter(None, found), list[str]()]))
    if kind == SKILL:
        nested = rest.pop("metadata", None)
        more = dict(cast(dict[str, Any], nested)) if isinstance(nested, dict) else {}
        said = {key: (more.pop(key, None), rest.pop(key, None)) for key in OF_SKILL}
        own = {key: nested or plain for key, (nested, plain) in said.items()}
        common |= {"category": _line(own["category"]) or None, **{key: _texts(own[key]) for key in LISTS}}
        rest |= {"metadata": more} if more else {}
    return {**common, "metadata": rest}


def meta_of(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the front matter that fields make."""
    meta = {"name": found["name"], "description": _line(found["description"])}
    if not meta["description"]:
        del meta["description"]
    if kind == INSTRUCTION:
        meta |= {"applyTo": ",".join(found["applies_to"])} if found["applies_to"] else {}
    rest = dict(found["metadata"])
    if kind == SKILL:
        more = {key: ", ".join(found[key]) if key in LISTS else found[key] for key in OF_SKILL if found[key]}
        more |= rest.pop("metadata", {})
        rest |= {"metadata": more} if more else {}
    return {**meta, **rest}


def text_of(kind: str, found: Mapping[str, Any]) -> str:
    """Return the file that fields make."""
    return front_matter.written(meta_of(kind, found), found["body"])


def problems(kind: str, found: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a definition for its format."""
    name, description = found["name"], found["description"]
    told = list(_problems_of_name(kind, name))
    if not description and kind != INSTRUCTION:
        told.append("a description is missing: programs choose by it")
    if len(description) > DESCRIPTION_LENGTH:
        told.append(f"the description has {len(description)} characters, and at most {DESCRIPTION_LENGTH} are read")
    if not found["body"].strip():
        told.append("there is no text behind the front matter")
    told += _problems_of_globs(found.get("applies_to", ()))
    long = found["metadata"].get("compatibility")
    if kind == SKILL and isinstance(long, str) and len(long) > COMPATIBILITY_LENGTH:
        told.append(f"compatibility has at most {COMPATIBILITY_LENGTH} characters")
    return told


def _problems_of_name(kind: str, name: str) -> Iterable[str]:
    if len(name) > NAME_LENGTH:
        yield f"a name has at most {NAME_LENGTH} characters"
    elif kind == SKILL and not SKILL_NAME.fullmatch(name):
        yield f"the name {name!r} is none of a skill: lower-case letters and digits, with single hyphens between them"
    elif not NAME.fullmatch(name):
        yield f"the name {name[:80]!r} is none of a file: letters, digits, and between them blanks, `.`, `-` and `_`"


def _problems_of_globs(patterns: Iterable[str]) -> Iterable[str]:
    listed = list(patterns)
    if len(listed) > MOST_GLOBS:
        yield f"applyTo has {len(listed)} globs, and at most {MOST_GLOBS} are kept"
    for pattern in listed[:MOST_GLOBS]:
        try:
            globs.normal(pattern.removeprefix("!"))
        except ProjectMemoryError as error:
            yield f"applyTo: {error}"


def strange_keys(kind: str, found: Mapping[str, Any]) -> list[str]:
    """Return the keys of the front matter that the format does not name, and programs may refuse."""
    return sorted(found["metadata"].keys() - SKILL_KEYS) if kind == SKILL else []


def _line(value: object) -> str:
    return " ".join(str(value).split()) if value is not None and not isinstance(value, list | dict) else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for item in cast(list[object], value) if (text := _line(item))]
    return [text for part in _line(value).split(",") if (text := part.strip())]


def _globs(value: object) -> list[str]:
    parts = cast(list[object], value) if isinstance(value, list) else [value]
    return [glob for part in parts for glob in _split(_line(part))]


def _split(text: str) -> Iterable[str]:
    """Split globs at the commas that stand outside of braces."""
    depth, start = 0, 0
    for at, char in enumerate(text + ","):
        depth += (char == "{") - (char == "}" and depth > 0)
        if char == "," and (depth == 0 or at == len(text)):
            if part := text[start:at].strip():
                yield part
            start = at + 1
