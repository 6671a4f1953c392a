"""Files `.code-workspace` of VS Code: read as people write them, and made for one part of a project.

Source: https://code.visualstudio.com/docs/editor/workspaces (folders, settings) and
https://code.visualstudio.com/docs/editor/glob-patterns. Patterns of a setting hold in every folder of the file, from
that folder on; so what is left out by its path is left out only where the project folder is the one folder.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

SUFFIX = ".code-workspace"
FOCUS = "projectMemory.focus"  # the setting that says what a file was made for
EXCLUDES = ("files.watcherExclude", "search.exclude")
HIDES = "files.exclude"
STRING = r'"(?:\\.|[^"\\])*(?:"|\Z)'
COMMENTS = re.compile(rf"{STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
TRAILING = re.compile(rf"{STRING}|,(?=\s*[\]}}])", re.DOTALL)
SPECIAL = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class Focus:
    """What a file shows: of which plan, which files and directories, by their paths in the project."""

    plan_id: str
    directories: Sequence[str]
    files: Sequence[str]

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "plan_id": self.plan_id,
            "directories_allowed": list(self.directories),
            "files_allowed": list(self.files),
        }


@dataclass(frozen=True)
class FocusedFile:
    """A file as it is: what it was made for, if it says so, and whether it is as it was written."""

    document: Mapping[str, Any]
    focus: Mapping[str, Any] | None
    is_untouched: bool


def made(
    focus: Focus, label: str, up: str, *, base: Mapping[str, Any], rest: Sequence[str], vendored: Sequence[str]
) -> str:
    """Return the text of a file that shows some of a project; `up` leads from its folder to that of the project.

    Of `base` everything stays but its folders; `rest` are paths that are left out of the project folder, `vendored`
    names that are left out everywhere.
    """
    whole = bool(rest) or not focus.directories
    folders = [{"name": label, "path": up}] if whole else [_folder(up, path) for path in focus.directories]
    found = base.get("settings")
    settings = dict(cast(Mapping[str, Any], found)) if isinstance(found, dict) else {}
    left_out = {f"**/{_escaped(name)}": True for name in vendored} | {_escaped(path): True for path in rest}
    for name in EXCLUDES:
        settings[name] = {**_excluded(settings, name), **left_out}
    if rest:
        settings[HIDES] = {**_excluded(settings, HIDES), **{_escaped(path): True for path in rest}}
    document = {**base, "folders": folders, "settings": {**settings, FOCUS: focus.as_json}}
    sealed = {**settings, FOCUS: {**focus.as_json, "sha256": _hash(document)}}
    return json.dumps({**document, "settings": sealed}, ensure_ascii=False, indent=2) + "\n"


def _folder(up: str, path: str) -> dict[str, str]:
    return {"name": path, "path": f"{up}/{path}"}


def _excluded(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = settings.get(name)
    return dict(cast(Mapping[str, Any], found)) if isinstance(found, dict) else {}


def _escaped(path: str) -> str:
    """Return the pattern that means this very path."""
    return SPECIAL.sub(lambda found: f"[{found[0]}]", path)


def _hash(document: Mapping[str, Any]) -> str:
    """Return the hash of what a file says, however it is laid out."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def read(text: str) -> dict[str, Any]:
    """Return what a file holds, comments and commas before a closing bracket aside; raise ValueError."""
    plain = COMMENTS.sub(_kept, text.removeprefix("\ufeff"))
    found = json.loads(TRAILING.sub(_kept, plain))
    if not isinstance(found, dict):
        raise json.JSONDecodeError("it holds no object", text, 0)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # no number and no text that JSON cannot hold
    return cast(dict[str, Any], found)


def _kept(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "


def opened(text: str) -> FocusedFile:
    """Return a file with what it was made for; raise ValueError."""
    document = read(text)
    settings = document.get("settings")
    focus = cast(Mapping[str, Any], settings).get(FOCUS) if isinstance(settings, dict) else None
    if not isinstance(focus, dict):
        return FocusedFile(document, None, is_untouched=False)
    told = {key: value for key, value in cast(Mapping[str, Any], focus).items() if key != "sha256"}
    bare = {**document, "settings": {**cast(Mapping[str, Any], settings), FOCUS: told}}
    return FocusedFile(document, told, is_untouched=cast(Mapping[str, Any], focus).get("sha256") == _hash(bare))
