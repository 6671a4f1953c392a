"""The Markdown that ships beside the code: agents/, instructions/ and skills/ of an assets folder, read into models."""

import hashlib
from pathlib import Path

from server.models.library import AgentDefinition, InstructionFile, SkillDefinition

Value = str | list[str] | bool
PATTERNS = ("agents/*.md", "instructions/*.md", "skills/*/SKILL.md")
FENCE = "---"


def front_matter(text: str) -> tuple[dict[str, Value], str]:
    """Split a Markdown text into its front matter and its body.

    A line is `key: value` or `key: [a, b]`; true and false are booleans, quotes around a value are dropped, any other
    line is passed over. A text whose front matter is missing or never closed is all body.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    fences = [number for number, line in enumerate(lines) if line.rstrip() == FENCE][:2]
    if len(fences) < 2 or fences[0] != 0:
        return {}, "\n".join(lines).strip()
    pairs = (line.partition(":") for line in lines[1 : fences[1]])
    meta = {key: _value(value.strip()) for key, colon, value in pairs if colon and _is_key(key)}
    return meta, "\n".join(lines[fences[1] + 1 :]).strip()


def agents(folder: Path) -> list[AgentDefinition]:
    """Read every agent definition `<name>.md` of a folder, in the order of the file names."""
    return [_agent(path) for path in sorted(folder.glob("*.md"))]


def instructions(folder: Path) -> list[InstructionFile]:
    """Read every instruction file `<name>.md` of a folder, in the order of the file names."""
    return [_instruction(path) for path in sorted(folder.glob("*.md"))]


def skills(folder: Path) -> list[SkillDefinition]:
    """Read every skill `<name>/SKILL.md` of a folder, in the order of the folder names."""
    return [_skill(path) for path in sorted(folder.glob("*/SKILL.md"))]


def digest(assets: Path) -> str:
    """Return one SHA-256 over the names and bytes of all content files: when it moves, a seed is due."""
    total = hashlib.sha256()
    for path in sorted(path for pattern in PATTERNS for path in assets.glob(pattern)):
        data = path.read_bytes()
        total.update(f"{path.relative_to(assets).as_posix()}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


def _agent(path: Path) -> AgentDefinition:
    meta, common = _read(path, path.stem)
    rest = {key: value for key, value in meta.items() if key not in common}
    return AgentDefinition(**common, metadata=rest)


def _instruction(path: Path) -> InstructionFile:
    meta, common = _read(path, path.stem)
    return InstructionFile(**common, applies_to=_texts(meta, "applies_to"))


def _skill(path: Path) -> SkillDefinition:
    meta, common = _read(path, path.parent.name)
    return SkillDefinition(
        **common,
        category=_text(meta, "category"),
        tags=_texts(meta, "tags"),
        languages=_texts(meta, "languages"),
        frameworks=_texts(meta, "frameworks"),
    )


def _read(path: Path, default_name: str) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the front matter of a file and the fields that every kind of content has."""
    data = path.read_bytes()
    meta, body = front_matter(data.decode("utf-8"))
    return meta, {
        "name": _text(meta, "name") or default_name,
        "description": _text(meta, "description"),
        "body": body,
        "content_hash": hashlib.sha256(data).hexdigest(),
    }


def _is_key(text: str) -> bool:
    return text.replace("-", "_").isidentifier()


def _value(text: str) -> Value:
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(item) for item in text[1:-1].split(",") if item.strip()]
    return {"true": True, "false": False}.get(text, _unquoted(text))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _text(meta: dict[str, Value], key: str) -> str:
    value = meta.get(key, "")
    return value if isinstance(value, str) else ""


def _texts(meta: dict[str, Value], key: str) -> list[str]:
    value = meta.get(key, [])
    return value if isinstance(value, list) else [value] if isinstance(value, str) and value else []
