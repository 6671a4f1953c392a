"""`check`: whether the store is sound, and what mends it if it is not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import anyio

from server.cli.upkeep import clients
from server.settings import Flags, load
from server.text.display import shown
from server.upkeep import checking
from server.upkeep.findings import CheckFinding

SOUND, WARNINGS, ERRORS = 0, 1, 2


def run(flags: Flags, *, deep: bool, only: str | None, as_json: bool) -> int:
    """Look, say what was found, and return the exit code."""
    chosen = load(flags)

    async def look() -> list[CheckFinding]:
        return await checking.check(chosen, deep=deep, only=only)

    found = anyio.run(look)
    if only is None or only in clients.NAMES:
        found = sorted([*found, *clients.check(chosen, flags)], key=lambda one: checking.SEVERITIES.index(one.severity))
        found = [one for one in found if only in (None, one.name) or one.name not in clients.NAMES]
    if as_json:
        told = [{name: value for name, value in asdict(one).items() if value is not None} for one in found]
        print(json.dumps({"database": str(chosen.database), "findings": told}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_told(str(chosen.database), found)))
    return exit_code(found)


def exit_code(found: Sequence[CheckFinding]) -> int:
    severities = {one.severity for one in found}
    return ERRORS if "error" in severities else WARNINGS if "warning" in severities else SOUND


def _told(database: str, found: Sequence[CheckFinding]) -> Iterator[str]:
    for one in found:
        yield f"{one.severity} {one.name}: {shown(one.what)}"
        yield f"    {one.why}"
        yield f"    To mend it: {one.command}" if one.command else f"    What to do: {one.advice}"
    counts = {severity: sum(one.severity == severity for one in found) for severity in checking.SEVERITIES}
    said = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)
    is_sound = exit_code(found) == SOUND
    yield f"{shown(database)}: {'sound' if is_sound else ''}{' with ' if is_sound and said else ''}{said}."
