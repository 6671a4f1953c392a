"""Whether the editors of this machine start the server as `setup` would have them do. Nothing is started."""

from collections.abc import Iterator

from server.cli.setup.editors import EDITORS
from server.cli.setup.looking import look
from server.cli.setup.setup import Wish, job_of
from server.errors import InvalidArguments
from server.settings import Flags, Settings
from server.upkeep.findings import CheckFinding, told

NAMES = ("client-configuration", "no-client")


def check(settings: Settings, flags: Flags) -> list[CheckFinding]:
    """Return the editors whose entry differs, or cannot be read, and whether there is an entry anywhere."""
    return [told(settings, name, what) for name, what in _seen(flags)]


def _seen(flags: Flags) -> Iterator[tuple[str, str]]:
    try:
        job = job_of(Wish(), flags)
    except InvalidArguments as error:
        yield "no-client", str(error)
        return
    looks = [look(editor, job, is_named=False) for editor in EDITORS if editor.user]
    for one in looks:
        if one.state in ("differs", "cannot be read"):
            yield (
                "client-configuration",
                f"{one.editor.name}, {one.file}: {one.state}{f': {one.why}' if one.why else ''}.",
            )
    if all(one.found is None for one in looks):
        yield "no-client", "No editor of this user is set up for this server."
