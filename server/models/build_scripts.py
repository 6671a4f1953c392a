"""Build scripts as rows and as tool results."""

from server.models.base import Row


class BuildScript(Row):
    """A command with a name, and the folder of the workspace that it is run in."""

    script_id: str
    script_name: str
    plan_id: str | None = None
    script_description: str | None = None
    script_command: str
    script_directory: str
    created_at: str
