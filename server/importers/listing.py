"""The files of a source as they are, beside what the last import made of them: counted, not kept."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from server.db.interchange.imports import Key, KnownFile
from server.importers.layout import Known, Layout, RecognisedSource, SourceFile
from server.importers.merged import MergedWorkspaces
from server.importers.reading import fingerprint
from server.models.imports import Finding, Findings


@dataclass
class FileListing:
    """The files of a source beside what the last import knew of them.

    `counts`: workspace -> how many are unchanged and changed. `changed` and `failed` are lines of a report: of those
    that are not as they were, and of those that are, and could not be imported then. `vanished` are files that are not
    there any more.
    """

    counts: dict[str | None, dict[str, int]] = field(default_factory=dict[str | None, dict[str, int]])
    changed: Findings = field(default_factory=Findings)
    failed: Findings = field(default_factory=Findings)
    vanished: list[Key] = field(default_factory=list[Key])

    @property
    def total(self) -> int:
        return sum(sum(counts.values()) for counts in self.counts.values())

    def add(self, key: Key, sha256: str, before: KnownFile | None) -> None:
        is_same = before is not None and before.sha256 == sha256
        counts = self.counts.setdefault(key[0], {"unchanged": 0, "changed": 0})
        counts["unchanged" if is_same else "changed"] += 1
        if before is None or not is_same:
            what = "changed since it was imported" if before else "not imported"
            self.changed.append(Finding("warning", key[1], "$", what, workspace_id=key[0]))
        elif before.status == "failed":
            self.failed.append(Finding("error", key[1], "$", f"not imported: {before.reason}", workspace_id=key[0]))


def listed(path: Path, layout: Layout, source: RecognisedSource, known: Known, merged: MergedWorkspaces) -> FileListing:
    """Return the files of a source that was recognised at a path."""
    listing, former = FileListing(), merged.former(known)
    missed = {key: file for key, file in known.earlier.items() if file.layout == layout.NAME}
    homes: dict[str | None, set[str]] = {}
    for file in layout.files(source):
        key = _key(file, former, merged)
        listing.add(key, fingerprint(file.location, file.path, file.odd)[0], known.earlier.get(key))
        missed.pop(key, None)
        if (at := file.location.as_posix()).endswith(f"/{file.path}"):
            homes.setdefault(key[0], set()).add(at.removesuffix(file.path))
    listing.vanished = [
        key for key, file in missed.items() if _is_around(path, file) and _is_gone(key[1], homes.get(key[0], set()))
    ]
    return listing


def _is_around(path: Path, file: KnownFile) -> bool:
    """Return whether a file came from this path, from within it, or from around it."""
    before = Path(file.source)
    return path.is_relative_to(before) or before.is_relative_to(path)


def _is_gone(path: str, homes: Collection[str]) -> bool:
    """Return whether a file is in none of the folders that the other files of its workspace are in."""
    return bool(homes) and not any(os.path.lexists(f"{home}{path}") for home in homes)


def _key(file: SourceFile, former: Known, merged: MergedWorkspaces) -> Key:
    unit = former.targets[file.owner] if file.owner is not None else None
    return merged.homes.get(unit, unit) if unit else None, merged.path(unit, file.path)
