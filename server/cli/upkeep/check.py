"""`check`: whether the store is sound, and what mends it if it is not."""

from collections.abc import Sequence
from dataclasses import asdict

import anyio

from server.cli.screen import ATTENTION, QUIET, TROUBLE, Screen, Styled
from server.cli.upkeep import clients, mirrored
from server.settings import Flags, load
from server.upkeep import checking
from server.upkeep.findings import CheckFinding

SOUND, WARNINGS, ERRORS = 0, 1, 2
BLOCKING = {*checking.ALWAYS_TOLD, "schema-changed", "integrity", mirrored.NAME}  # with which nothing can be compared
STYLES = {"error": TROUBLE, "warning": ATTENTION, "note": QUIET}


def run(flags: Flags, *, deep: bool, only: str | None, as_json: bool) -> int:
    """Look, say what was found, and return the exit code."""
    chosen = load(flags)

    async def look() -> list[CheckFinding]:
        return await checking.check(chosen, deep=deep, only=only)

    found = anyio.run(look)
    if deep and only in (None, mirrored.NAME) and not BLOCKING & {one.name for one in found}:
        found += mirrored.check(chosen)
    if only is None or only in clients.NAMES:
        found = sorted([*found, *clients.check(chosen, flags)], key=lambda one: checking.SEVERITIES.index(one.severity))
        found = [one for one in found if only in (None, one.name) or one.name not in clients.NAMES]
    if as_json:
        told = [{name: value for name, value in asdict(one).items() if value is not None} for one in found]
        Screen().json({"database": str(chosen.database), "findings": told})
    else:
        _show(Screen(), str(chosen.database), found)
    return exit_code(found)


def exit_code(found: Sequence[CheckFinding]) -> int:
    severities = {one.severity for one in found}
    return ERRORS if "error" in severities else WARNINGS if "warning" in severities else SOUND


def _show(screen: Screen, database: str, found: Sequence[CheckFinding]) -> None:
    for one in found:
        screen.line(Styled(one.severity, STYLES[one.severity]), f" {one.name}: {one.what}")
        screen.line(one.why, indent=4)
        screen.unbroken(f"To mend it: {one.command}" if one.command else f"What to do: {one.advice}", indent=4)
    counts = {severity: sum(one.severity == severity for one in found) for severity in checking.SEVERITIES}
    said = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)
    is_sound = exit_code(found) == SOUND
    screen.line(f"{database}: {'sound' if is_sound else ''}{' with ' if is_sound and said else ''}{said}.")
