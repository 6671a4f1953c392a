"""Everything below a folder of a project that somebody might look for, in order, as far as a bound."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass

from server.confined.folder import OpenFolder, Parts, is_text, kind_of
from server.errors import ProjectMemoryError
from server.text.ignore_rules import FILE, VENDORED, IgnoreRules
from server.tools.project_files import guarded_paths
from server.tools.project_files.places import Root

MOST_ENTRIES = 50_000
MOST_RULE_BYTES = 64 * 1024


@dataclass(frozen=True)
class FoundFile:
    """Something in a folder: its parts from the project folder on, what it is, and the size of a file."""

    parts: Parts
    kind: str
    size: int | None
    modified: int

    @property
    def path(self) -> str:
        return "/".join(self.parts)


@dataclass
class Walk:
    """One way through a project. It skips what git ignores, what tools put there and what is guarded."""

    root: Root
    deepest: int = 100
    hidden: int = 0  # entries that are guarded
    is_cut: bool = False
    _seen: int = 0

    def below(self, start: Parts) -> Iterator[FoundFile]:
        """Yield what is below a folder, each folder before what is in it."""
        yield from self._below(start, self._rules_above(start), 1)

    def _below(self, start: Parts, rules: IgnoreRules, depth: int) -> Iterator[FoundFile]:
        found = self.entries(start)
        rules = self._with_own(start, rules)
        for entry in found:
            if entry.kind == "directory" and entry.parts[-1] in VENDORED:
                continue
            if rules.ignores(entry.path, is_folder=entry.kind == "directory"):
                continue
            self._seen += 1
            if self._seen > MOST_ENTRIES:
                self.is_cut = True
                return
            yield entry
            if entry.kind == "directory" and depth < self.deepest:
                try:
                    yield from self._below(entry.parts, rules, depth + 1)
                except ProjectMemoryError:  # gone, changed or closed meanwhile
                    continue

    def entries(self, parts: Parts) -> list[FoundFile]:
        """Return what is in a folder, folders first, but for what is guarded."""
        with OpenFolder.opened(self.root.path, parts) as folder:
            found = folder.entries()
        told: list[FoundFile] = []
        for name, about in found:
            if not is_text(name) or self._is_kept((*parts, name)):
                self.hidden += 1
                continue
            size = about.st_size if stat.S_ISREG(about.st_mode) else None
            told.append(FoundFile((*parts, name), kind_of(about), size, about.st_mtime_ns))
        return sorted(told, key=lambda entry: (entry.kind != "directory", entry.parts[-1]))

    def _is_kept(self, parts: Parts) -> bool:
        """Return whether what is in a folder that is not guarded is guarded itself."""
        return guarded_paths.is_entry(parts) or guarded_paths.is_own(self.root.own, parts)

    def _rules_above(self, start: Parts) -> IgnoreRules:
        rules = IgnoreRules()
        for end in range(len(start)):
            rules = self._with_own(start[:end], rules)
        return rules

    def _with_own(self, parts: Parts, rules: IgnoreRules) -> IgnoreRules:
        try:
            with OpenFolder.opened(self.root.path, parts) as folder, folder.reading(FILE) as file:
                text = file.read(MOST_RULE_BYTES).decode("utf-8", "replace")
        except ProjectMemoryError:
            return rules
        return rules.joined("/".join(parts), text)
