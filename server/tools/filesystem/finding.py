"""memory_filesystem: files by their names and by what they say."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server.errors import InvalidArguments, ProjectMemoryError
from server.models.text import Line, SomeText, Text
from server.text import ignore_rules
from server.text.text_analysis import STOP_WORDS
from server.tools.common import Call
from server.tools.filesystem.reading import decoded
from server.tools.filesystem.tool import TOOL
from server.tools.filesystem.walking import FoundFile, Walk
from server.tools.project_files.places import FilePath, Root, root_of
from server.tools.render import Page

MOST_MATCHES = 5000
MOST_BYTES = 256 * 1024 * 1024  # that are searched in one call
LARGEST_FILE = 4 * 1024 * 1024  # that is searched
SHOWN = 300  # characters of a line
REGEX_SECONDS = 5.0
# A process of its own: a regular expression may take for ever, and holds up everything else in the one that runs it.
REGEX_WORK = """
import json, re, sys
pattern, names = json.load(sys.stdin)
try:
    found = re.compile(pattern, re.IGNORECASE)
except (re.error, RecursionError, OverflowError) as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"found": [n for n, name in enumerate(names) if found.search(name)]}))
"""
CODE = frozenset(
    (
        "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "java", "kt", "kts", "go", "rs", "c", "h", "cc", "cpp",
        "hpp", "cs", "rb", "php", "swift", "scala", "sh", "bash", "ps1", "sql", "html", "css", "scss", "vue", "svelte",
        "json", "yaml", "yml", "toml", "md", "rst", "xml", "gradle", "ex", "exs", "erl", "hs", "lua", "pl", "r",
        "dart", "tf",
    )
)  # fmt: skip
WORD = re.compile(r"\w{3,64}")
MOST_KEYWORDS = 20
HEAD_BYTES = 64 * 1024  # of a file in which words of a prompt are looked for

Match = dict[str, Any]


@dataclass(frozen=True)
class FileQuery:
    """What is looked for: names, and what stands in the files that have them."""

    pattern: str | None
    regex: str | None
    include: str | None
    query: str | None


@TOOL.action(read_only=True, takes=("page",))
async def search(
    call: Call,
    *,
    pattern: Line | None = None,
    regex: Line | None = None,
    include: Line | None = None,
    query: Annotated[SomeText, Field(max_length=500, description="text in files")] | None = None,
    path: FilePath = ".",
) -> Page:
    """Files by name, or by text in them.

    pattern or regex is for names, query for text, which comes with line numbers.
    pattern and include are written as in .gitignore: `*.py` is any file of that name, `src/*.py` one place, `**` any
    folders. regex is looked for in the path, query is plain text in a line; both whatever the case of letters. Several
    narrow each other. path is where to look. What git ignores, tools put there or is guarded is left out, and so are
    binary files and those over 4 MiB when text is looked for.

    Example: {"action":"search","query":"def main","include":"*.py"}
    """
    if not (pattern or regex or include or query):
        raise InvalidArguments("Say what to look for: pattern or regex for names, query for text in files.")
    root = await root_of(call)
    walk, wanted = Walk(root), FileQuery(pattern, regex, include, query)
    start = root.place(path)
    found = await run_sync(lambda: _found(walk, list(walk.below(start)), wanted))
    after = call.after("search", 2)
    rest = [row for row in found if after is None or _place(row) > after]
    extra: dict[str, Any] = {"workspace_id": root.workspace_id, "pattern": pattern}
    extra["cut"] = "not all was searched: there is too much of it; name a path" if walk.is_cut else None
    limit = call.shared.limit
    return Page("matches", rest[: limit + 1], len(found), limit, _place, "search", extra, MOST_MATCHES)


def _place(row: Match) -> list[str | int]:
    return [row["path"], row.get("line", 0)]


def _found(walk: Walk, entries: list[FoundFile], wanted: FileQuery) -> list[Match]:
    for rule in filter(None, (_rule(wanted.pattern, "pattern"), _rule(wanted.include, "include"))):
        entries = [entry for entry in entries if rule(entry)]
    if wanted.regex:
        entries = _by_regex(wanted.regex, entries)
    entries.sort(key=lambda entry: entry.path)
    if wanted.query is None:
        return [{"path": entry.path, "type": entry.kind} for entry in entries]
    found: list[Match] = []
    for entry, text in _texts(walk, entries, LARGEST_FILE):
        found += _lines_with(wanted.query.lower(), entry, text)
        if len(found) > MOST_MATCHES:
            walk.is_cut = True
            break
    return found


def _rule(text: str | None, name: str) -> Callable[[FoundFile], bool] | None:
    if text is None:
        return None
    rule = ignore_rules.pattern(text.replace("\\", "/"), ignore_case=True)
    if rule is None or rule.negated:
        raise InvalidArguments(f"'{name}' {text[:100]!r} is no pattern of a path, such as '*.py' or 'src/**/*.ts'.")
    return lambda entry: rule.matches(entry.path, is_folder=entry.kind == "directory")


def _by_regex(regex: str, entries: list[FoundFile]) -> list[FoundFile]:
    """Return the entries in whose path a regular expression is found."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", REGEX_WORK],
            input=json.dumps([regex, [entry.path for entry in entries]]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=REGEX_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise InvalidArguments(f"'regex' {regex[:100]!r} takes too long. Write a simpler one, or a pattern.") from error
    told = json.loads(done.stdout)
    if "error" in told:
        raise InvalidArguments(f"'regex' {regex[:100]!r} is no regular expression: {told['error']}.")
    return [entries[number] for number in told["found"]]


def _texts(walk: Walk, entries: Iterable[FoundFile], most: int) -> Iterator[tuple[FoundFile, str]]:
    """Yield the files that are text, each up to so many bytes, until it is enough for one call."""
    room = MOST_BYTES
    for entry in entries:
        if entry.kind != "file" or (entry.size or 0) > LARGEST_FILE:
            continue
        if room <= 0:
            walk.is_cut = True
            return
        try:
            with walk.root.reading(entry.parts) as file:
                data = file.read(most)
        except ProjectMemoryError:  # gone or changed meanwhile, of no right to read, with several names
            continue
        room -= len(data) + 1
        if (text := decoded(data, is_cut=True)) is not None:
            yield entry, text


def _lines_with(query: str, entry: FoundFile, text: str) -> Iterator[Match]:
    if query not in text.lower():
        return
    for number, line in enumerate(text.split("\n"), 1):
        at = line.lower().find(query)
        if at >= 0:
            start = max(0, at - SHOWN // 3) if len(line) > SHOWN else 0
            yield {"path": entry.path, "line": number, "text": line[start : start + SHOWN].rstrip("\r")}


@TOOL.action(read_only=True, takes=("page",))
async def discover_codebase(call: Call, *, prompt_text: SomeText, task_text: Text | None = None) -> Page:
    """Files of code that a prompt may be about, best first.

    Words of three letters or more in prompt_text and task_text are looked for in names and in the beginning of files;
    relevance_score is 0.8 times the share of words found plus 0.2 times the share found in the name.

    Example: {"action":"discover_codebase","prompt_text":"the lease of a claimed step runs out too early"}
    """
    root = await root_of(call)
    asked = f"{prompt_text}\n{task_text or ''}"
    keywords = _keywords(asked)
    if not keywords:
        raise InvalidArguments("'prompt_text' holds no word of three letters or more to look for.")
    found, is_cut = await run_sync(_discovered, root, keywords)
    ranked = [{"rank": rank, **match} for rank, match in enumerate(found, 1)]
    after, limit = call.after("discover", 1), call.shared.limit
    rest = ranked[int(after[0]) if after else 0 :]
    extra: dict[str, Any] = {
        "workspace_id": root.workspace_id,
        "query_text": asked.strip()[:SHOWN],
        "keywords": " ".join(keywords),
    }
    extra["cut"] = "not all files were looked at" if is_cut else None
    return Page("matches", rest[: limit + 1], len(ranked), limit, lambda row: [row["rank"]], "discover", extra)


def _keywords(text: str) -> list[str]:
    words = (word.lower() for word in WORD.findall(text))
    return list(dict.fromkeys(word for word in words if word not in STOP_WORDS))[:MOST_KEYWORDS]


def _discovered(root: Root, keywords: list[str]) -> tuple[list[Match], bool]:
    walk = Walk(root)
    code = [entry for entry in walk.below(()) if entry.parts[-1].rpartition(".")[2].lower() in CODE]
    found = [match for entry, text in _texts(walk, code, HEAD_BYTES) if (match := _relevant(entry, text, keywords))]
    return sorted(found, key=lambda row: (-row["relevance_score"], row["path"])), walk.is_cut


def _relevant(entry: FoundFile, text: str, keywords: list[str]) -> Match | None:
    path, name, words = entry.path.lower(), entry.parts[-1].lower(), text.lower()
    matched = [word for word in keywords if word in path or word in words]
    named = sum(word in name for word in keywords)
    score = round((0.8 * len(matched) + 0.2 * named) / len(keywords), 3)
    return {"path": entry.path, "relevance_score": score, "matched_keywords": matched} if matched else None
