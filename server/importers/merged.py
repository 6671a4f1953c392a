"""A workspace of a store that was imported and then merged into another one: read as it was, written where it is."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from server.db.workspaces.merging import NAMING
from server.importers.layout import Known
from server.models.imports import Finding, ImportBatch, ImportedRow

# Columns that name a workspace where another column says that they do.
STAYS = "the workspace was merged into another one, which stays as it is"


@dataclass(frozen=True)
class MergedWorkspaces:
    """`formers`: a workspace of the store -> the one that its rows were made for, which was merged into another one.

    `homes`: that one -> the one that has the rows now. `paths`: the known files of these. `shared`: those of which the
    home had files of the same name. Ids are derived from the workspace that an import made them for, so a store has to
    be read for that one again.
    """

    formers: Mapping[str, str]
    homes: Mapping[str, str]
    paths: Collection[tuple[str | None, str]]
    shared: Collection[str]

    @classmethod
    def of(cls, known: Known, paths: Collection[tuple[str | None, str]]) -> "MergedWorkspaces":
        homes = {former: known.targets[found] for found, former in known.formers.items()}
        begun = {(unit, path.partition("/")[0]) for unit, path in paths} if homes else set[tuple[str | None, str]]()
        shared = {former for former, home in homes.items() if (home, former) in begun}
        return cls(known.formers, homes, paths, shared)

    def former(self, known: Known) -> Known:
        """Return what the layout is to know: the workspaces, and the paths of their files, as they were."""
        if not self.homes:
            return known
        paths, times = dict(known.paths), dict(known.earlier)
        for former, home in self.homes.items():
            paths |= {former: known.paths[home]} if home in known.paths else {}
            own = {path: at for (unit, path), at in known.earlier.items() if unit == home}
            times |= {(former, path): at for path, at in own.items()}
            times |= {(former, path.removeprefix(f"{former}/")): at for path, at in own.items()}
        return replace(known, targets={**known.targets, **self.formers}, paths=paths, earlier=times)

    def path(self, former: str | None, path: str) -> str:
        """Return how a file is called that the other workspace has too, or may have: it is imported as well."""
        home, longer = self.homes.get(former or ""), f"{former}/{path}"
        if home and ((home, longer) in self.paths or (former in self.shared and (home, path) not in self.paths)):
            return longer
        return path

    def batches(self, found: Iterator[ImportBatch]) -> Iterator[ImportBatch]:
        """Yield what a store becomes, for the workspaces that there are."""
        yield from map(self._moved, found) if self.homes else found

    def _moved(self, batch: ImportBatch) -> ImportBatch:
        former = batch.workspace_id
        rows = [
            replace(row, values=self._values(row.values), path=self.path(former, row.path))
            for row in batch.rows
            if not self._is_head(row)
        ]
        stays = [Finding("info", row.path, "$", STAYS, row.key) for row in batch.rows if self._is_head(row)]
        return replace(
            batch,
            workspace_id=self.homes.get(former, former) if former else None,
            rows=rows,
            files=[replace(file, path=self.path(former, file.path)) for file in batch.files],
            findings=[*batch.findings, *stays],
        )

    def _is_head(self, row: ImportedRow) -> bool:
        return row.table == "workspaces" and row.key in self.homes

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        names = ["workspace_id", "parent_workspace_id"]
        names += [name for kind, name in NAMING if values.get(kind) == "workspace"]
        return {**values, **{name: self.homes[values[name]] for name in names if values.get(name) in self.homes}}
