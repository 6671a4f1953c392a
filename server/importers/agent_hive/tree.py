"""Which files of a project the agents of a hive wrote, of which kind each is, and which are copies of others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from server.importers.reading import Entry, entry_at, head, names_in, walk

OWN = ".claude"  # a folder that other programs have files in, too
FOLDERS = (
    "memory", "memory_backup", "memory-bank", "memory_snapshots", "context", "checkpoints", "migration_backups", "logs",
    "config", "personas", "state",
)  # fmt: skip
# Below the project; what is in them and of no kind is the project's.
BESIDE = (
    "memory-bank", "memory_snapshots", "state/memory_snapshots", "message_bus/inboxes", "coordination_protocols",
    "checkpoints", "logs", "state", "database", "data",
)  # fmt: skip
WORKTREES = ("new-worktrees", "worktrees", ".worktrees", ".claude/worktrees")
COPY = re.compile(r"(?:\.(?:bak|backup|orig|old)(?:[._-]?\d+)*|\.backup_[\w-]+|~)$", re.IGNORECASE)
BACKUP = f"{OWN}/memory_backup/"
LEFTOVER = re.compile(r"\.(lock|tmp|pyc)$|(^|/)__pycache__/")
# Other programs give files of their own such names: these say what they are of.
SIGNED = (
    (re.compile(r"(?!\.claude/|agent_hive).*\.(db|sqlite3?)$"), re.compile(
        rb"context_sessions|system_snapshots|backlog_items|memory_snapshots|baseline_metrics|agent_capabilities"
        rb"|agent_messages|workflow_executions|agent_specializations|agent_availability"
    )),
    (re.compile(r"checkpoints/.*"), re.compile(rb'"(checkpoint_id|system_state|resource_limits)"')),
)  # fmt: skip

# Kind -> the paths that are of it; the first that fits counts.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("backlog", ("BACKLOG.md",)),
    ("database", (f"{OWN}/*.db", f"{OWN}/*.sqlite", "state/*.db", "database/*.db", "data/*.db", "*.db")),
    ("companion", (f"{OWN}/*.db-wal", "state/*.db-wal", "database/*.db-wal", "data/*.db-wal", "*.db-wal",
                   f"{OWN}/*.db-shm", "state/*.db-shm", "database/*.db-shm", "data/*.db-shm", "*.db-shm")),
    ("content", ("*memory_snapshots/*.json",)),
    ("completions", (f"{OWN}/*completions*.json*",)),
    ("memory", (f"{OWN}/memory/*.json", f"{OWN}/memory/*.md", f"{OWN}/memory-bank/*.md", "memory-bank/*.md")),
    ("context", (f"{OWN}/context/*.json",)),
    ("text", (f"{OWN}/context/*", f"{OWN}/memory/*", f"{OWN}/personas/*.md", f"{OWN}/config/*.md")),
    ("agent", (f"{OWN}/agents/*.json",)),
    ("checkpoint", (f"{OWN}/checkpoints/*.json", f"{OWN}/migration_backups/*.json", f"{OWN}/state/*.json",
                    "checkpoints/*.json")),
    ("log", (f"{OWN}/logs/*", "logs/leanvibe*.log", f"{OWN}/*.log")),
    ("inbox", ("message_bus/inboxes/*.json",)),
    ("heartbeat", ("coordination_protocols/heartbeat_*.json",)),
    ("progress", ("coordination_protocols/progress_*.json",)),
    ("events", ("coordination_protocols/*alerts*.json", "coordination_protocols/*_log*.json",
                "coordination_alerts*.json", "coordination_crisis_log*.json", f"{OWN}/coordination_*.json")),
    ("milestones", ("*integration_progress.json", f"{OWN}/*integration_progress.json")),
    ("configuration", (f"{OWN}/config/*.yaml", f"{OWN}/config/*.yml", f"{OWN}/config/*.json", f"{OWN}/settings.yaml",
                       f"{OWN}/leanvibe.yaml", f"{OWN}/*_config.json", ".quality-gates.json", ".agent-config.json",
                       f"{OWN}/personas/*.yaml", f"{OWN}/personas/*.yml", f"{OWN}/personas/*.json")),
    ("report", ("coordination_protocols/*.json", "coordination_*.json", "accountability_report_*.json",
                f"{OWN}/accountability_report_*.json", "*quality*gate*.json", f"{OWN}/*report*.json")),
)  # fmt: skip
# One of these shows that a project has a hive; so do its files among those of others.
MARKS = (
    f"{OWN}/memory/LATEST_MEMORY_SNAPSHOT.json", f"{OWN}/memory/ESSENTIAL_WORKFLOW_KNOWLEDGE.md",
    f"{OWN}/agent_completions.jsonl", f"{OWN}/state.db", f"{OWN}/config/context_thresholds.json",
    f"{OWN}/leanvibe.yaml", f"{OWN}/accountability_config.json", ".quality-gates.json", "agent_hive.db",
    "coordination_protocols/progress_report.json", "coordination_protocols/coordination_alerts.json",
)  # fmt: skip
SIGNS = (
    (f"{OWN}/agents", "*.json", b'"agent_id"'),
    (f"{OWN}/memory", "*_CONSOLIDATION*.md", b""),
    (f"{OWN}/checkpoints", "checkpoint_*.json", b'"checkpoint_id"'),
    (f"{OWN}/migration_backups", "*.json", b'"agent_states"'),
    ("message_bus/inboxes", "*.json", b'"content"'),
    ("coordination_protocols", "heartbeat_*.json", b'"agent_id"'),
    ("", "BACKLOG.md", re.compile(rb"^## .*\bP[0-3]\b.*$", re.MULTILINE)),
    ("", "agent_hive*.db", b"context_sessions"),
    ("state", "*.db", b"system_snapshots"),
)
LOOKED_AT = 64 * 1024  # bytes of a file that may be a sign
FEW = 20  # files of a folder that are looked at


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A file: `inner` is what it is called in the project itself, which for a copy is not its path."""

    entry: Entry
    kind: str
    inner: str

    @property
    def is_copy(self) -> bool:
        return self.inner != self.entry.path


@dataclass(frozen=True)
class HiveTree:
    """A store: the project's folder, and the one file of it that is imported ("" for all)."""

    folder: Path
    only: str = ""


def find(path: Path) -> HiveTree | None:
    """Return the store that a project, its `.claude` or one of its files is; the odd never raises."""
    try:
        if path.is_symlink():
            return None
        if path.is_file():
            return HiveTree(path.parent, path.name) if _shows(path.parent, path.name) else None
        if path.name == OWN and path.is_dir():
            return HiveTree(path.parent) if is_hive(path.parent) else None
        return HiveTree(path) if path.is_dir() and is_hive(path) else None
    except (OSError, ValueError):
        return None


def is_hive(folder: Path) -> bool:
    return any(_is_file(folder / mark) for mark in MARKS) or any(
        _says(folder / inner / name, sign)
        for inner, pattern, sign in SIGNS
        for name in [name for name in names_in(folder / inner) if fnmatchcase(name, pattern)][:FEW]
    )


def _shows(folder: Path, name: str) -> bool:
    told = [
        sign for inner, pattern, sign in SIGNS if fnmatchcase(name, pattern) and (not inner or name.endswith(".db"))
    ]
    return name in MARKS or any(_says(folder / name, sign) for sign in told)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _says(path: Path, sign: bytes | re.Pattern[bytes]) -> bool:
    """Return whether a file is one of a hive: it may have a name that others use too."""
    start = head(path, LOOKED_AT)
    return bool(sign.search(start)) if isinstance(sign, re.Pattern) else sign in start


def files(tree: HiveTree) -> list[HiveFile]:
    """Return every file of a store in a stable order, copies after what they are copies of."""
    found: dict[str, HiveFile] = {}
    for entry in _all(tree):
        inner = inner_of(entry.path)
        kind = kind_of(inner) or ("link" if entry.odd else None)
        if kind and (tree.only or entry.odd or _is_signed(entry, inner)):
            odd = entry.odd or ("a leftover of a program that ran" if LEFTOVER.search(entry.path) else None)
            found.setdefault(entry.path, HiveFile(Entry(entry.path, entry.location, odd), kind, inner))
    return sorted(found.values(), key=lambda file: (file.is_copy, _rank(file), file.entry.path))


def _is_signed(entry: Entry, inner: str) -> bool:
    base = inner.removesuffix("-wal").removesuffix("-shm")
    location = entry.location.with_name(entry.location.name[: len(entry.location.name) - len(inner) + len(base)])
    return all(_says(location, sign) for pattern, sign in SIGNED if pattern.fullmatch(base))


def _rank(file: HiveFile) -> int:
    """Return the place of a kind: what others name comes before them."""
    return ORDER.index(file.kind)


ORDER = [*(name for name, _ in KINDS), "link"]


def inner_of(path: str) -> str:
    """Return what a file would be called in the project itself, if it is a copy: in a worktree, or a backup."""
    inner = path
    for worktrees in WORKTREES:
        while inner.startswith(f"{worktrees}/") and inner.count("/") > worktrees.count("/") + 1:
            inner = inner.removeprefix(f"{worktrees}/").partition("/")[2]
    if inner.startswith(BACKUP):
        inner = f"{OWN}/memory/{inner.removeprefix(BACKUP)}"
    bare = COPY.sub("", inner)
    return bare if kind_of(bare) else inner


def kind_of(inner: str) -> str | None:
    """Return of which kind a file is by its path in the project; None if it is none of a hive."""
    return next((kind for kind, patterns in KINDS if any(_fits(inner, one) for one in patterns)), None)


def _fits(path: str, pattern: str) -> bool:
    """Return whether a path is of a pattern; one without a folder is of the project's folder itself."""
    return fnmatchcase(path, pattern) and ("/" in pattern or "/" not in path)


def _all(tree: HiveTree) -> Iterator[Entry]:
    if tree.only:
        yield Entry(tree.only, tree.folder / tree.only)
        return
    yield from _of_project(tree.folder, "")


def _of_project(folder: Path, prefix: str) -> Iterator[Entry]:
    for inner in ("", OWN, f"{OWN}/agents", *BESIDE):
        yield from _listed(folder, prefix, inner)
    for name in FOLDERS:
        yield from _below(folder, prefix, f"{OWN}/{name}")
    for worktrees in WORKTREES:
        for name in names_in(folder / worktrees):
            inner = folder / worktrees / name
            if inner.is_dir() and not inner.is_symlink():
                yield from _of_project(inner, f"{prefix}{worktrees}/{name}/")


def _listed(folder: Path, prefix: str, inner: str) -> Iterator[Entry]:
    """Yield the files right in a folder that has other files too: those of a kind, and backups of them."""
    here = folder / inner if inner else folder
    if _has_link(folder, inner):
        return
    for name in names_in(here):
        path = f"{inner}/{name}" if inner else name
        if kind_of(inner_of(path)) and not (here / name).is_dir():
            yield entry_at(here / name, prefix + path)


def _below(folder: Path, prefix: str, inner: str) -> Iterator[Entry]:
    """Yield all files below a folder that is the hive's own; of one that is a link only that."""
    location = folder / inner
    if location.is_symlink():
        yield entry_at(location, prefix + inner)
    elif location.is_dir() and not _has_link(folder, inner):
        yield from walk(location, f"{prefix}{inner}/")


def _has_link(folder: Path, inner: str) -> bool:
    parts = inner.split("/") if inner else []
    return any((folder / "/".join(parts[: n + 1])).is_symlink() for n in range(len(parts)))
