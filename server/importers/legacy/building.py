"""What all parts of a plan share on their way into rows."""

from server.importers.legacy.survey import Header, Survey
from server.importers.values import Fields, Object
from server.models.imports import ImportedRow


class PlanBuilder:
    """One plan on its way into rows."""

    def __init__(self, survey: Survey, header: Header, found: Fields, path: str) -> None:
        self.survey = survey
        self.header = header
        self.found = found
        self.path = path
        self.workspace_id = survey.target(header.place)
        self.rows: list[ImportedRow] = []
        self.phase_ids: dict[str, str] = {}

    @property
    def plan_id(self) -> str:
        return self.header.plan_id

    def add(self, table: str, key: str, values: Object, at: str) -> None:
        self.rows.append(ImportedRow(table, key, values, self.path, at, self.plan_id))
