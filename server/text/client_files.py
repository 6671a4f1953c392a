"""The files in which each client reads agents, instructions and skills: where they are, how they are written and read.

A client that reads all instructions from one file gets each of them as a block between two marks in it.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from server.text import front_matter
from server.text.definitions import AGENT, INSTRUCTION, SKILL, fields, file_name, meta_of, text_of
from server.text.editing import toml_tables
from server.text.markdown import levelled

CLIENTS = ("github", "claude", "codex", "cursor", "gemini", "opencode")
# What our own files say of a role. Other programs read it in the text.
OF_ROLE = {
    "can_implement", "can_finalize", "is_hub", "can_spawn_subagents", "handoff_to", "forbidden", "max_steps",
    "max_context_tokens", "deployment_modes",
}  # fmt: skip
EDITS = {"edit code", "edit source code"}
BOUNDARIES = "<!-- project-memory: boundaries -->"
BLOCK = "<!-- project-memory: {} -->\n{}\n<!-- /project-memory: {} -->"
BLOCKS = re.compile(
    r"<!-- project-memory: ([^\r\n]+) -->\r?\n(.*?)\r?\n<!-- /project-memory: \1 -->(?:\r?\n)?", re.DOTALL
)
DEEPEST = 6  # level of a heading
EVERYTHING = {"**", "**/*"}
Found = Mapping[str, Any]


@dataclass(frozen=True)
class ClientFile:
    """What a client reads of a definition: a whole file, or a block of that name in one."""

    path: str
    text: str
    block: str = ""

    @property
    def shown(self) -> str:
        return place(self.path, self.block)


def place(path: str, block: str) -> str:
    """Return what a file, or a block of one, is called."""
    return f"{path}#{block}" if block else path


@dataclass(frozen=True)
class ClientFolder:
    """A folder in which a client looks for files of a kind; of a skill each is a folder with a SKILL.md in it."""

    client: str
    kind: str
    path: str
    suffix: str


FOLDERS = (
    ClientFolder("github", AGENT, ".github/agents", ".agent.md"),
    ClientFolder("github", INSTRUCTION, ".github/instructions", ".instructions.md"),
    ClientFolder("github", SKILL, ".agents/skills", ""),
    ClientFolder("github", SKILL, ".github/skills", ""),
    ClientFolder("claude", AGENT, ".claude/agents", ".md"),
    ClientFolder("claude", SKILL, ".claude/skills", ""),
    ClientFolder("codex", AGENT, ".codex/agents", ".toml"),
    ClientFolder("cursor", AGENT, ".cursor/agents", ".md"),
    ClientFolder("cursor", INSTRUCTION, ".cursor/rules", ".mdc"),
    ClientFolder("cursor", SKILL, ".cursor/skills", ""),
    ClientFolder("opencode", AGENT, ".opencode/agent", ".md"),
    ClientFolder("opencode", SKILL, ".opencode/skills", ""),
)
ONE_FILE = {"claude": "CLAUDE.md", "codex": "AGENTS.md", "gemini": "GEMINI.md", "opencode": "AGENTS.md"}
SKILLS = {"claude": ".claude/skills", "cursor": ".cursor/skills"}


def written(client: str, kind: str, found: Found) -> ClientFile | None:
    """Return the file of a definition for a client, or None if it reads none of that kind."""
    slug = file_name(found["name"])
    if kind == SKILL:
        return ClientFile(f"{SKILLS.get(client, '.agents/skills')}/{found['name']}/SKILL.md", text_of(kind, found))
    if kind == INSTRUCTION:
        return _instruction(client, found, slug)
    if make := AGENTS.get(client):
        path, text = make(found, slug)
        return ClientFile(path, text)
    return None


def _instruction(client: str, found: Found, slug: str) -> ClientFile:
    if client == "github":
        return ClientFile(f".github/instructions/{slug}.instructions.md", text_of(INSTRUCTION, found))
    if client == "cursor":
        always = not found["applies_to"] or bool(EVERYTHING & set(found["applies_to"]))
        meta = {"description": found["description"], "globs": "" if always else ",".join(found["applies_to"])}
        return ClientFile(
            f".cursor/rules/{slug}.mdc", front_matter.written({**meta, "alwaysApply": always}, found["body"])
        )
    where = [f"`{glob}`" for glob in found["applies_to"] if glob not in EVERYTHING]
    head = f"For {', '.join(where)}:\n\n" if where and len(where) == len(found["applies_to"]) else ""
    return ClientFile(ONE_FILE[client], head + _lowered(found["body"].strip()), slug)


def _lowered(body: str) -> str:
    """Return Markdown with every heading one level lower."""
    lines = levelled(body.splitlines())
    return "\n".join(line.replace("#", "##", 1) if 0 < level < DEEPEST else line for line, level in lines)


def _github(found: Found, slug: str) -> tuple[str, str]:
    meta = {key: value for key, value in meta_of(AGENT, found).items() if key not in OF_ROLE and key not in CLIENTS}
    return f".github/agents/{slug}.agent.md", front_matter.written({**meta, **_own(found, "github")}, _role(found))


def _claude(found: Found, slug: str) -> tuple[str, str]:
    denied = {"disallowedTools": "Edit, Write, NotebookEdit"} if _edits_nothing(found) else {}
    meta = {"name": slug, "description": found["description"], **denied, **_own(found, "claude")}
    return f".claude/agents/{slug}.md", front_matter.written(meta, _role(found))


def _cursor(found: Found, slug: str) -> tuple[str, str]:
    meta = {"name": slug, "description": found["description"], **_own(found, "cursor")}
    return f".cursor/agents/{slug}.md", front_matter.written(meta, _role(found))


def _opencode(found: Found, slug: str) -> tuple[str, str]:
    denied = {"permission": {"edit": "deny"}} if _edits_nothing(found) else {}
    meta = {"description": found["description"], "mode": "all", **denied, **_own(found, "opencode")}
    return f".opencode/agent/{slug}.md", front_matter.written(meta, _role(found))


def _codex(found: Found, slug: str) -> tuple[str, str]:
    meta = {"name": slug, "description": found["description"]} | _own(found, "codex")
    plain = {key: value for key, value in meta.items() if value is not None and not isinstance(value, dict)}
    lines = [f"{toml_tables.key(key)} = {toml_tables.value(value)}" for key, value in plain.items()]
    return f".codex/agents/{slug}.toml", "\n".join([*lines, f"developer_instructions = {_long(_role(found))}", ""])


AGENTS: dict[str, Callable[[Found, str], tuple[str, str]]] = {
    "github": _github,
    "claude": _claude,
    "codex": _codex,
    "cursor": _cursor,
    "opencode": _opencode,
}


def _own(found: Found, client: str) -> dict[str, Any]:
    """Return what the metadata holds for a client alone."""
    own = found["metadata"].get(client)
    return cast(dict[str, Any], own) if isinstance(own, dict) else {}


def _edits_nothing(found: Found) -> bool:
    return found["metadata"].get("can_implement") is False and bool(EDITS & set(_texts(found, "forbidden")))


def _texts(found: Found, key: str) -> list[str]:
    value: object = found["metadata"].get(key) or []
    return [str(each) for each in (cast(list[object], value) if isinstance(value, list) else [value])]


def _role(found: Found) -> str:
    """Return the text of a role with its boundaries, which only our own front matter holds."""
    forbidden, following = _texts(found, "forbidden"), _texts(found, "handoff_to")
    told = [f"- Not yours: {', '.join(forbidden)}."] if forbidden else []
    told += [f"- Hand over to: {', '.join(following)}."] if following else []
    body = found["body"].strip()
    return "\n".join([body, "", BOUNDARIES, "## Boundaries", *told]) if told else body


def _long(text: str) -> str:
    lines = (toml_tables.value(line)[1:-1].replace('\\"', '"') for line in text.split("\n"))
    return '"""\n' + "\n".join(lines).replace('"""', '""\\"') + '\n"""'


def read(folder: ClientFolder, name: str, text: str) -> dict[str, Any]:
    """Return the fields of a definition from a client's file; raise BadFrontMatter for one that cannot be read."""
    if folder.suffix == ".toml":
        try:
            meta: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise front_matter.BadFrontMatter(f"it is no TOML: {error}") from error
        body = str(meta.pop("developer_instructions", "")).strip()
    else:
        meta, body = front_matter.parsed(text)
    if folder.kind != AGENT:
        meta.pop("alwaysApply", None)
        return fields(folder.kind, meta, body, name)
    told = fields(AGENT, meta, body.partition(BOUNDARIES)[0].strip(), name)
    if folder.client != "github" and told["metadata"]:
        told["metadata"] = {folder.client: told["metadata"]}
    return told


def blocks(text: str) -> dict[str, str]:
    """Return the blocks of a file by name."""
    return {match[1]: match[2] for match in BLOCKS.finditer(text)}


def with_blocks(text: str, changes: Sequence[tuple[str, str | None]]) -> str:
    """Return a file with blocks put in, at their place or at its end; None takes one out. Lines end as they did."""
    end = "\r\n" if "\r\n" in text else "\n"
    for name, content in changes:
        new = "" if content is None else (BLOCK.format(name, content, name) + "\n").replace("\n", end)
        if name in blocks(text):
            text = BLOCKS.sub(lambda found, name=name, new=new: new if found[1] == name else found[0], text)
        elif new:
            text = f"{text.rstrip()}{end}{end}{new}" if text.strip() else new
    return text
