"""The Markdown that ships beside the code: agents/, instructions/ and skills/ of an assets folder, read into models."""

import hashlib
from pathlib import Path
from typing import Any

from server.models.library import AgentDefinition, InstructionFile, SkillDefinition
from server.text import definitions, front_matter

PATTERNS = ("agents/*.agent.md", "instructions/*.instructions.md", "skills/*/SKILL.md")


def agents(folder: Path) -> list[AgentDefinition]:
    """Read every agent definition `<name>.agent.md` of a folder, in the order of the file names."""
    return [_agent(path) for path in sorted(folder.glob("*.agent.md"))]


def instructions(folder: Path) -> list[InstructionFile]:
    """Read every instruction file `<name>.instructions.md` of a folder, in the order of the file names."""
    return [_instruction(path) for path in sorted(folder.glob("*.instructions.md"))]


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
    return AgentDefinition(**_read(path, definitions.AGENT, path.name.removesuffix(".agent.md")))


def _instruction(path: Path) -> InstructionFile:
    return InstructionFile(**_read(path, definitions.INSTRUCTION, path.name.removesuffix(".instructions.md")))


def _skill(path: Path) -> SkillDefinition:
    return SkillDefinition(**_read(path, definitions.SKILL, path.parent.name))


def _read(path: Path, kind: str, name: str) -> dict[str, Any]:
    """Return the fields of a file, and the hash of its bytes."""
    data = path.read_bytes()
    meta, body = front_matter.simple(data.decode("utf-8"))
    return {**definitions.fields(kind, meta, body, name), "content_hash": hashlib.sha256(data).hexdigest()}
