"""What a project folder holds: languages, frameworks, how it is built and tested, where things are.

The walk follows no link, waits for no pipe or device, and reads a bounded part of each file, so that no folder can
hold it up; where it stops, the profile says so.
"""

import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from server.text import code_style, ignore_rules, manifests
from server.text.ignore_rules import VENDORED, IgnoreRules
from server.text.languages import language_of, purpose_of
from server.tools.identity import FOLDER, OPEN_FLAGS

MOST_FILES = 50_000
MOST_FOLDERS = 50_000
MOST_ENTRIES = 200_000  # of one folder
MOST_BYTES = 256 * 2**20  # that are read of all files
FILE_BYTES = 2**20  # that are read of one
START_BYTES = 8 * 2**10  # in which a file shows whether it is text
MANIFEST_BYTES = 256 * 2**10
SAMPLES, SAMPLE_BYTES = 60, 32 * 2**10
MOST_LANGUAGES, MOST_SHOWN = 15, 20  # languages, folders
LONGEST_PATH = 120  # of a folder that is shown
SKIPPED = VENDORED | {FOLDER}


class Interrupted(Exception):
    """Nobody waits for the walk any more."""


@dataclass
class FolderSurvey:
    """What a walk has found so far."""

    files: int = 0
    lines: int = 0
    read: int = 0
    stopped: str | None = None
    languages: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    folders: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    names: set[str] = field(default_factory=set[str])
    manifests: dict[str, str] = field(default_factory=dict[str, str])
    samples: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def profile(folder: str, now: str, is_over: Callable[[], bool]) -> dict[str, Any]:
    """Return the profile of a project folder. It raises Interrupted as soon as `is_over` says so."""
    survey = _survey(folder, is_over)
    tests = [path for path in _largest(survey) if purpose_of(_name(path), None) == "tests"]
    found: dict[str, Any] = {
        "indexed_at": now,
        "languages": _languages(survey),
        "frameworks": manifests.frameworks(survey.manifests),
        "build_system": manifests.build_system(survey.names, survey.manifests),
        "test_framework": manifests.test_framework(survey.names, survey.manifests, tests),
        "package_manager": manifests.package_manager(survey.names),
        "key_directories": _key_directories(survey),
        "conventions": {**code_style.observed(survey.samples), **manifests.stated_style(survey.manifests)},
        "total_files": survey.files,
        "total_lines": survey.lines,
        "stopped": survey.stopped,
    }
    return {name: value for name, value in found.items() if value is not None}


def _survey(folder: str, is_over: Callable[[], bool]) -> FolderSurvey:
    survey = FolderSurvey()
    for path in _files(folder, survey, is_over):
        if survey.files == MOST_FILES:
            survey.stopped = f"There are more than {MOST_FILES} files; the rest was not looked at."
            break
        _note(survey, folder, path)
    return survey


def _files(root: str, survey: FolderSurvey, is_over: Callable[[], bool]) -> Iterator[str]:
    """Yield the files that are no one's rubbish, those nearest to the root first, as paths relative to it."""
    waiting = deque([("", IgnoreRules())])
    folders = 1
    while waiting:
        folder, rules = waiting.popleft()
        entries = _entries(f"{root}/{folder}")
        if any(entry.name == ignore_rules.FILE for entry in entries):
            text = _read(f"{root}/{folder}/{ignore_rules.FILE}", MANIFEST_BYTES)
            rules = rules.joined(folder, text.decode("utf-8", "replace"))
        for entry in entries:
            if is_over():
                raise Interrupted
            path = f"{folder}/{entry.name}" if folder else entry.name
            kind = _kind(entry)
            if (kind == "folder" and entry.name in SKIPPED) or rules.ignores(path, is_folder=kind == "folder"):
                continue
            if kind == "folder" and folders < MOST_FOLDERS:
                folders += 1
                waiting.append((path, rules))
            elif kind == "folder":
                survey.stopped = f"There are more than {MOST_FOLDERS} folders; the rest was not looked at."
            elif kind == "file":
                yield path


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds, by name; nothing of one that cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(islice(found, MOST_ENTRIES), key=lambda entry: entry.name)
    except OSError:
        return []


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except OSError:
        return "other"


def _read(path: str, most: int) -> bytes:
    """Return the start of a text file; nothing of what is none, or cannot be read."""
    try:
        handle = os.open(path, OPEN_FLAGS)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return b""
            start = file.read(min(START_BYTES, most))
            return b"" if b"\0" in start else start + file.read(most - len(start))
    except OSError:
        return b""


def _note(survey: FolderSurvey, root: str, path: str) -> None:
    """Count a file."""
    name, *above = reversed(path.split("/"))
    content = b""
    if survey.read < MOST_BYTES:
        content = _read(f"{root}/{path}", FILE_BYTES)
        survey.read += max(len(content), 1)
    else:
        survey.stopped = f"The files hold more than {MOST_BYTES >> 20} MiB; lines of the rest were not counted."
    survey.files += 1
    survey.lines += content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    language, extension = language_of(name) or ("", "")
    if language:
        survey.languages.setdefault(language, Counter())[extension] += 1
    for depth in range(1, min(len(above), 2) + 1):
        survey.folders.setdefault("/".join(path.split("/")[:depth]), Counter())[language] += 1
    if not above:
        survey.names.add(name)
    if not above and name in manifests.READ:
        survey.manifests[name] = content[:MANIFEST_BYTES].decode("utf-8", "replace")
    elif language and content and len(survey.samples) < SAMPLES:
        survey.samples.append((language, content[:SAMPLE_BYTES].decode("utf-8", "replace")))


def _languages(survey: FolderSurvey) -> list[dict[str, Any]]:
    total = sum(found.total() for found in survey.languages.values())
    ranked = sorted(survey.languages.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    return [
        {
            "name": name,
            "percentage": round(100 * found.total() / total, 1),
            "file_count": found.total(),
            "extensions": sorted(found),
        }
        for name, found in ranked[:MOST_LANGUAGES]
    ]


def _largest(survey: FolderSurvey) -> list[str]:
    """Return the folders of the first two levels: those at the top first, then by how many files they hold."""
    return sorted(survey.folders, key=lambda path: (path.count("/"), -survey.folders[path].total(), path))


def _key_directories(survey: FolderSurvey) -> list[dict[str, Any]]:
    """Return the folders at the top, and those in them whose name says what they are for."""
    short = [path for path in _largest(survey) if len(path) <= LONGEST_PATH]
    wanted = [path for path in short if "/" not in path or purpose_of(_name(path), None) != "other files"]
    return [
        {
            "path": path.encode("utf-8", "replace").decode(),
            "purpose": purpose_of(_name(path), _main(survey.folders[path])),
            "file_count": survey.folders[path].total(),
        }
        for path in wanted[:MOST_SHOWN]
    ]


def _main(languages: Counter[str]) -> str | None:
    found = languages.most_common(1)
    return found[0][0] or None if found else None


def _name(path: str) -> str:
    return PurePosixPath(path).name
