"""The files of a source as they are, beside what the last import made of them: counted, not kept."""

from dataclasses import dataclass, field

from server.db.interchange.imports import Key, KnownFile
from server.importers.layout import Known, Layout, RecognisedSource, SourceFile
from server.importers.merged import MergedWorkspaces
from server.importers.reading import fingerprint
from server.models.imports import Finding, Findings


@dataclass
class FileListing:
    """The files of a source beside what the last import knew of them.

    `counts`: workspace -> how many are unchanged and changed. `changed` and `failed` are lines of a report: of those
    that are not as they were, and of those that are, and could not be imported then.
    """

    counts: dict[str | None, dict[str, int]] = field(default_factory=dict[str | None, dict[str, int]])
    changed: Findings = field(default_factory=Findings)
    failed: Findings = field(default_factory=Findings)

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


def listed(layout: Layout, source: RecognisedSource, known: Known, merged: MergedWorkspaces) -> FileListing:
    listing, former = FileListing(), merged.former(known)
    for file in layout.files(source):
        key = _key(file, former, merged)
        listing.add(key, fingerprint(file.location, file.path, file.odd)[0], known.earlier.get(key))
    return listing


def _key(file: SourceFile, former: Known, merged: MergedWorkspaces) -> Key:
    unit = former.targets[file.owner] if file.owner is not None else None
    return merged.homes.get(unit, unit) if unit else None, merged.path(unit, file.path)
