"""Put the entry into an editor's file, or take it out: after a backup, at one stroke, and read back."""

import os
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from server import files
from server.cli.setup.looking import EditorLook, SetupJob, State, found_program, look, text_of
from server.errors import ProjectMemoryError
from server.settings import EDITORS
from server.tools.commands import joined

DONE: dict[State, State] = {"would add": "added", "differs": "updated", "would remove": "removed"}
COMMAND_SECONDS = 120
KEPT = 10  # of what a file was before, the newest


class Undone(Exception):
    """It was not done; the message says why, for people."""


def apply(finding: EditorLook, job: SetupJob, data_root: Path) -> EditorLook:
    """Do what a finding says would be done, and return what became of it."""
    if finding.state not in DONE:
        return finding
    backup = None
    try:
        backup = back_up(finding, data_root)
        if finding.commands:
            notes = _commanded(finding, job)
        else:
            _written(finding, job)
            notes = finding.notes
    except (OSError, ProjectMemoryError, Undone) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        return replace(finding, state="failed", why=why, backup=backup)
    return replace(finding, state=DONE[finding.state], why="", backup=backup, notes=notes)


def back_up(finding: EditorLook, data_root: Path) -> Path | None:
    """Keep a file as it is: never beside it, where a client might read it, or a repository take it in.

    The oldest of what is kept of the file goes; its name tells files of one name in several folders apart.
    """
    if finding.old is None:
        return None
    which = f"{sha256(os.fsencode(finding.file)).hexdigest()[:8]}-{finding.file.name}"
    path = data_root / EDITORS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{finding.editor.name}-{which}"
    files.replace(path, finding.old.encode())
    kept = sorted(one for one in path.parent.iterdir() if one.name.endswith(f"Z-{finding.editor.name}-{which}"))
    for one in kept[:-KEPT]:
        one.unlink(missing_ok=True)
    return path


def _written(finding: EditorLook, job: SetupJob) -> None:
    assert finding.new is not None
    target = Path(os.path.realpath(finding.file))
    _refuse_protected(target)
    if job.scope == "project":
        target.parent.mkdir(parents=True, exist_ok=True)
    if text_of(finding.file, job) != finding.old:
        raise Undone("it was changed just now by another program; run the same command again")
    files.rewrite(target, finding.new.encode(), mode=files.SHARED if job.scope == "project" else files.PRIVATE)
    if text_of(finding.file, job) != finding.new:
        raise Undone("it does not say what was written to it; another program writes it, too")


def _refuse_protected(target: Path) -> None:
    """Refuse a file that its owner made read-only, or that a rename would take from its owner or its other names."""
    if not target.exists():
        return
    found = target.stat()
    if not found.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        raise Undone("it is read-only")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise Undone("it belongs to another user")
    if found.st_nlink > 1:
        raise Undone(f"it has {found.st_nlink} names (hard links), which would part")


def _commanded(finding: EditorLook, job: SetupJob) -> Sequence[str]:
    """Run the client's own commands, and return what is to be said besides."""
    program = found_program(finding.commands[0][0], job.machine)
    if program is None:
        raise Undone(
            f"only {finding.commands[0][0]!r} may write this file, and it is not on the path. Where it is, run: "
            + "; ".join(joined(*words) for words in finding.commands)
        )
    for words in finding.commands:
        try:
            done = subprocess.run(
                [program, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
                errors="replace", check=False, timeout=COMMAND_SECONDS, env=dict(job.machine.environ),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Undone(f"{joined(*words)} did not end within {COMMAND_SECONDS} seconds") from error
        if done.returncode:
            told = (done.stderr or done.stdout).strip()[-300:]
            raise Undone(f"{joined(*words)} ended with {done.returncode}: {told}")
    after = look(finding.editor, job, is_named=True)
    if after.state in ("up to date", "nothing to remove"):
        return finding.notes
    return (*finding.notes, f"{finding.editor.title} says that it is done, but {finding.file} does not show it yet.")
