"""`setup --instructions`: a block of AGENTS.md, and agents and skills of the library, for who works on a project."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from server import calls, library_files
from server.cli.setup.editors import Editor
from server.cli.setup.looking import Instructed, SetupJob
from server.errors import NotAllowed, ProjectMemoryError
from server.settings import ASSETS, Settings
from server.store import Store
from server.text import client_files
from server.text.display import number_of
from server.tools.library import client_texts
from server.tools.library.client_texts import FileChangeWanted

SHOWN_TO_ALL = "working-a-plan"  # the instruction that every agent needs
HASH = 16  # of the letters of a hash: enough to see that a person changed a text
BLOCK = "<!-- project-memory setup sha256:{} -->\n{}\n<!-- /project-memory setup -->\n"
BEGIN = re.compile(r"<!-- project-memory setup sha256:([0-9a-f]+) -->")
BLOCKS = re.compile(BEGIN.pattern + r"\r?\n(.*?)\r?\n<!-- /project-memory setup -->(?:\r?\n)?", re.DOTALL)
SHARED_FILE = "AGENTS.md"
LEADS_THERE = re.compile(r"^[ \t]*@(?:\./)?AGENTS\.md\b", re.MULTILINE)
KINDS = ("agent", "skill")


@dataclass(frozen=True)
class InstructionsWanted:
    """Where instructions go, and whether they do."""

    job: SetupJob
    settings: Settings
    changes: bool

    @property
    def root(self) -> str:
        return str(self.job.machine.project)


def instruct(editors: Sequence[Editor], wanted: InstructionsWanted) -> list[Instructed]:
    """Put the block and the library's files where these clients read them, or take them out again."""
    done = [_block(name, wanted) for name in _names(editors, wanted)]
    targets = list(dict.fromkeys(editor.library for editor in editors if editor.library))
    return done + anyio.run(_deployed, targets, wanted) if targets else done


def _names(editors: Sequence[Editor], wanted: InstructionsWanted) -> list[str]:
    """Return the files that these clients read, each once: a file may be a link to another, or lead to it by a line."""
    names = dict[str, str]()
    for name in dict.fromkeys(editor.instructions for editor in editors):
        meant = SHARED_FILE if LEADS_THERE.search(_said(name, wanted)) else name
        names.setdefault(os.path.realpath(Path(wanted.root, meant)), meant)
    return list(names.values())


def _said(name: str, wanted: InstructionsWanted) -> str:
    try:
        seen = client_texts.text_at(wanted.root, name)
    except (OSError, NotAllowed):
        return ""
    return seen.text if seen else ""


def _block(name: str, wanted: InstructionsWanted) -> Instructed:
    try:
        seen = client_texts.text_at(wanted.root, name)
        old = seen.text if seen else ""
        new, state, told = _changed(old, removes=wanted.job.removes)
        if wanted.changes and new != old:
            _write(wanted.root, name, new, client_texts.hash_of(old) if seen else None)
            state = {"would add": "added", "differs": "updated", "would remove": "removed"}[state]
    except (OSError, NotAllowed) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        return Instructed(name, "failed", why)
    return Instructed(name, state, told)


def _write(root: str, name: str, text: str, seen: str | None) -> None:
    """Write a file as the library does, over the one that was seen; one with nothing left goes."""
    done = client_texts.carry_out(root, [FileChangeWanted(name, "", text or None, seen)])
    if done.kept:
        raise NotAllowed(done.kept[0]["why"])


def _changed(old: str, *, removes: bool) -> tuple[str, str, str]:
    """Return a file with the block or without it, how it stood, and why it is kept, if it is."""
    blocks = list(BLOCKS.finditer(old))
    if len(blocks) != len(BEGIN.findall(old)) or len(blocks) > 1:
        return old, "kept", "the marks of the block were changed"
    if not blocks:
        return (old, "nothing to remove", "") if removes else (_appended(old), "would add", "")
    [found] = blocks
    if client_texts.hash_of(found[2])[:HASH] != found[1]:
        return old, "kept", "somebody changed the block; delete it to have it written anew"
    if removes:
        before, after = old[: found.start()], old[found.end() :]
        return (re.sub(r"\r?\n\r?\n\Z", _one_end(old), before) if not after else before) + after, "would remove", ""
    new = old[: found.start()] + _marked(old) + old[found.end() :]
    return (old, "up to date", "") if _is_same(found[0], _marked(old)) else (new, "differs", "")


def _is_same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").rstrip("\n") == other.replace("\r\n", "\n").rstrip("\n")


def _appended(old: str) -> str:
    end = _one_end(old)
    gap = "" if not old else end if old.endswith("\n") else end + end
    return old + gap + _marked(old)


def _marked(old: str) -> str:
    body = _body()
    return BLOCK.format(client_texts.hash_of(body)[:HASH], body).replace("\n", _one_end(old))


def _one_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _body() -> str:
    """Return what every agent of a project is told, as it ships."""
    found = {one.name: one.body for one in library_files.instructions(ASSETS / "instructions")}
    return found[SHOWN_TO_ALL].strip()


async def _deployed(targets: Sequence[str], wanted: InstructionsWanted) -> list[Instructed]:
    """Deploy agents and skills as an agent would: by the library, which remembers what it wrote."""
    if not wanted.changes and not wanted.settings.database.is_file():
        return [_promised(target) for target in targets]
    store = Store(Settings(data_root=wanted.settings.data_root, read_only=not wanted.changes))

    async def ask(tool: str, **arguments: object) -> dict[str, Any]:
        return await calls.answer(store, tool, {**arguments, "workspace_path": wanted.root})

    done = list[Instructed]()
    try:
        if wanted.changes:
            await ask("memory_workspace", action="register")
        for target in targets:
            done.append(await _for_client(ask, target, wanted))
    except ProjectMemoryError as error:
        done.append(Instructed("agents and skills", "failed", str(error)))
    finally:
        await store.close()
    return done


async def _for_client(ask: Any, target: str, wanted: InstructionsWanted) -> Instructed:
    more = {"kinds": list(KINDS), "remove": wanted.job.removes, "dry_run": not wanted.changes}
    try:
        told = await ask("memory_library", action="deploy", target=target, **more)
    except ProjectMemoryError as error:
        if wanted.changes:
            return Instructed(_label(target), "failed", str(error))
        return _promised(target)  # the project is not known yet, and a look does not make it so
    counts = {name: len(told.get(name, ())) for name in ("written", "removed", "would_write", "would_remove")}
    kept = told.get("kept", [])
    state = "kept" if kept else next((name for name, count in counts.items() if count), "up to date")
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return Instructed(_label(target), state.replace("_", " "), said, kept)


def _promised(target: str) -> Instructed:
    count = sum(1 for _ in _shipped(target))
    return Instructed(_label(target), "would write", f"{number_of(count, 'file')}, once the project is registered")


def _shipped(target: str) -> Iterator[client_files.ClientFile]:
    for kind, found in (
        ("agent", library_files.agents(ASSETS / "agents")),
        ("skill", library_files.skills(ASSETS / "skills")),
    ):
        for one in found:
            if file := client_files.written(target, kind, one.__dict__):
                yield file


def _label(target: str) -> str:
    return f"agents and skills for {target}"
