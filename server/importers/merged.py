"""A workspace of a store that was imported and then merged into another one: read as it was, written where it is."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from server.importers.layout import Known
from server.models.imports import Finding, ImportBatch, ImportedRow

# Columns that name a workspace where another column says that they do.
NAMING = (("parent_type", "parent_id"), ("scope", "scope_id"), ("entity_type", "entity_id"))
STAYS = "the workspace was merged into another one, which stays as it is"


@dataclass(frozen=True)
class MergedWorkspaces:
    """`homes`: the workspace that rows were made for -> the one that has them now. `paths`: the known files of these.

    Ids are derived from the workspace that an import made them for, so a store has to be read for that one again.
    """

    homes: Mapping[str, str] = field(default_factory=dict[str, str])
    paths: Collection[tuple[str | None, str]] = ()

    def former(self, known: Known) -> Known:
        """Return what the layout is to know: the workspaces, and the paths of their files, as they were."""
        if not self.homes:
            return known
        before = {home: former for former, home in self.homes.items()}
        targets = {found: before.get(target, target) for found, target in known.targets.items()}
        paths = {before.get(target, target): path for target, path in known.paths.items()}
        times = {(before.get(unit or "", unit), self._bare(unit, path)): at for (unit, path), at in known.times.items()}
        return replace(known, targets=targets, paths=paths, times=times)

    def _bare(self, unit: str | None, path: str) -> str:
        own = [former for former, home in self.homes.items() if home == unit]
        return path.removeprefix(f"{own[0]}/") if own else path

    def path(self, former: str | None, path: str) -> str:
        """Return how a file is called that the other workspace has too."""
        home = self.homes.get(former or "")
        return longer if home and (home, longer := f"{former}/{path}") in self.paths else path

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
