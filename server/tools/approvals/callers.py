"""Who sends a call over the network: what a token may do, and what a person may."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.errors import NotAllowed
from server.models.approvals import HUMAN
from server.registry import Bound

# What reaches beyond the database, into the files and programs of the machine that serves.
HOST_TOOLS = frozenset({"memory_filesystem", "memory_terminal"})
HOST_ACTIONS: Mapping[str, frozenset[str]] = {
    "memory_workspace": frozenset(
        {"register", "migrate", "reindex", "export_pending", "generate_focused_workspace", "list_focused_workspaces"}
    ),
    "memory_library": frozenset({"check", "deploy", "import"}),
    "memory_plan": frozenset({"export_plan", "run_build_script"}),
    "memory_session": frozenset({"deploy_and_prep"}),
}
HOST_PARAMS = frozenset({"output_path", "output_filename", "plan_file_path"})


@dataclass(frozen=True)
class Caller:
    """Whoever is on the other end: a program with a token of a name, or the person who owns the database."""

    token: str | None = None
    only_reads: bool = False
    has_host: bool = True
    is_person: bool = False

    @property
    def agent(self) -> str | None:
        """In whose name it writes, whatever the call says; None if the call says it."""
        return HUMAN if self.is_person else None

    def refuse(self, bound: Bound) -> None:
        """Refuse a call that this caller may not make."""
        if self.only_reads and bound.action.writes(bound.arguments):
            raise NotAllowed(
                f"The token {self.token!r} is a reader's: it refuses every write. The person who runs the server can "
                "make one with the role agent."
            )
        if what := _of_the_host(bound):
            self.refuse_host(what)

    def refuse_host(self, what: str) -> None:
        """Refuse what touches the machine that serves, if this caller may not."""
        if not self.has_host:
            raise NotAllowed(
                f"{what} is off on this server, which is reached over a network: it would touch files or programs of "
                "the machine that serves. Its operator can allow that with --allow-host-tools."
            )


def _of_the_host(bound: Bound) -> str | None:
    tool, action = bound.action.tool, bound.action.name
    if tool in HOST_TOOLS or action in HOST_ACTIONS.get(tool, ()):
        return f"{tool} {action}"
    named = sorted(name for name in HOST_PARAMS if bound.arguments.get(name) is not None)
    return f"{tool} {action} with {named[0]}" if named else None
