"""The files of an agent that was started in a workspace: its definition, its launch prompt, its context.

`context.json` remembers the hash of everything that was written, itself included. What no longer has its hash was
changed by someone, and is kept.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from server.errors import InvalidArguments, NotAllowed
from server.files import make_folder, replace
from server.models.base import encode
from server.text.names import is_device
from server.tools.identity import FOLDER, LARGEST, OPEN_FLAGS, own_folder
from server.tools.paths import normal_path

AGENTS = "active_agents"
CONTEXT = "context.json"
PROMPT = "prompt.md"


@dataclass
class Deployed:
    """Which files were written and which kept, by their paths in the workspace, and what went wrong."""

    written: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def file_name(agent: str) -> str:
    """Return the name of an agent as that of a folder on any system."""
    name = re.sub(r"[^\w.-]+", "-", agent.lower()).strip("-._")
    if not name:
        raise InvalidArguments(f"The agent name {agent!r} holds no letter or digit to call a folder by.")
    return f"agent-{name}" if is_device(name) else name


def refuse_links(workspace_path: str, agent: str) -> None:
    """Raise NotAllowed when a link, or a missing project folder, would lead the files of an agent elsewhere."""
    root, name = Path(workspace_path), file_name(agent)
    if not root.is_dir():
        raise NotAllowed(f"The folder {workspace_path!r} of the workspace is gone, so nothing can be written to it.")
    home = root / FOLDER / AGENTS / name
    for path in (home, *(home / each for each in (_definition(name), PROMPT, CONTEXT))):
        if os.path.normcase(normal_path(path)) != os.path.normcase(path):
            raise NotAllowed(
                f"{path.relative_to(root).as_posix()!r} is, or lies behind, a symbolic link; nothing was written. "
                "Remove the link, or call action='prep', which writes no files."
            )


def _definition(name: str) -> str:
    return f"{name}.agent.md"


def write(
    workspace_path: str, agent: str, definition: str, prompt: str, context: Mapping[str, Any], *, force: bool = False
) -> Deployed:
    """Write the files of an agent into its workspace. With `force` those that someone changed as well."""
    done = Deployed()
    name = file_name(agent)
    place = f"{FOLDER}/{AGENTS}/{name}"
    try:
        own_folder(workspace_path)
        home = Path(workspace_path) / FOLDER / AGENTS / name
        make_folder(home)
        refuse_links(workspace_path, agent)
        known = _remembered(home / CONTEXT)
        ours = known if known.get("agent") == agent else {}
        hashes = dict[str, str](ours.get("files", {}))
        for file, text in ((_definition(name), definition), (PROMPT, prompt)):
            wanted = _hash(text.encode())
            if force or _hash_of(home / file) in (None, wanted, hashes.get(file)):
                replace(home / file, text)
                hashes[file] = wanted
                done.written.append(f"{place}/{file}")
            else:
                done.kept.append(f"{place}/{file}")
        if force or ours or not os.path.lexists(home / CONTEXT):
            replace(home / CONTEXT, _sealed({**context, "agent": agent, "files": hashes}))
            done.written.append(f"{place}/{CONTEXT}")
        else:
            done.kept.append(f"{place}/{CONTEXT}")
    except (OSError, NotAllowed) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        done.warnings.append(f"Not all files were written ({reason}). The session is open, and the prompt is complete.")
    if done.kept:
        done.warnings.append("What is kept was changed by someone since it was written; force=true replaces it.")
    return done


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_of(path: Path) -> str | None:
    """Return the hash of a file, an empty text for what is no file, None if there is nothing."""
    try:
        handle = os.open(path, OPEN_FLAGS)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        return hashlib.file_digest(file, "sha256").hexdigest() if regular else ""


def _sealed(context: Mapping[str, Any]) -> str:
    """Return the text of a context file, which carries its own hash."""
    return json.dumps({**context, "sha256": _hash(encode(context).encode())}, ensure_ascii=False, indent=2) + "\n"


def _remembered(path: Path) -> dict[str, Any]:
    """Return what a context file holds, or nothing if it is missing or was changed by someone."""
    try:
        handle = os.open(path, OPEN_FLAGS)
        with os.fdopen(handle, "rb") as file:
            found = json.loads(file.read(LARGEST)) if stat.S_ISREG(os.fstat(handle).st_mode) else None
        context = cast(dict[str, Any], found) if isinstance(found, dict) else {}
        return context if context.pop("sha256", None) == _hash(encode(context).encode()) else {}
    except (OSError, ValueError, RecursionError):
        return {}
