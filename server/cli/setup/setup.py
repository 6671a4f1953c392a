"""`setup`: put the server into the editors of this machine, or of a project; or say how each of them stands."""

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from server.cli.screen import ATTENTION, QUIET, TROUBLE, Column, Screen, Styled
from server.cli.setup import admitting
from server.cli.setup.editors import EDITORS, NAME, Editor, Machine, Scope, named
from server.cli.setup.launching import arguments_of, launch
from server.cli.setup.looking import Checked, EditorLook, Instructed, SetupJob, look, reach_in
from server.cli.setup.manual import snippet
from server.cli.setup.reaching import hidden
from server.errors import InvalidArguments
from server.settings import SETTINGS, Flags, default_root, load
from server.text.display import shown
from server.tools.commands import joined, on

FITTING = re.compile(r"[A-Za-z0-9_-]{1,64}")  # for every client: some take nothing else for a name
TROUBLED = ("cannot be read", "failed")
OPEN = ("would add", "differs", "would remove")
COLUMNS = (Column("client"), Column("state"), Column("file", is_wide=True), Column("", is_wide=True))


@dataclass(frozen=True)
class Wish:
    """What a person asked for."""

    clients: Sequence[str] = ()
    all_: bool = False
    scope: Scope = "user"
    name: str = NAME
    remove: bool = False
    dry_run: bool = False
    check: bool = False
    instructions: bool = False
    http: bool = False
    url: str | None = None
    token: str | None = None
    token_env: str | None = None

    @property
    def changes(self) -> bool:
        return bool(self.clients or self.all_) and not self.dry_run and not self.check


@dataclass
class SetupOutcome:
    """What there is to tell."""

    findings: list[EditorLook] = field(default_factory=list[EditorLook])
    checks: list[Checked] = field(default_factory=list[Checked])
    instructed: list[Instructed] = field(default_factory=list[Instructed])

    @property
    def exit_code(self) -> int:
        bad = any(one.state in TROUBLED for one in self.findings)
        bad = bad or any(not one.is_good for one in self.checks)
        return int(bad or any(one.state == "failed" for one in self.instructed))


def run(wish: Wish, flags: Flags, *, as_json: bool = False) -> int:
    """Look, and do what is wished; print it and return the exit code."""
    editors = _chosen(wish)
    settings = load(flags)
    job = job_of(wish, flags)
    if wish.http:
        wanted = admitting.ReachWish(wish.url, wish.token, wish.token_env)
        job = replace(job, reach=admitting.reach_for(wanted, wish.scope, settings, flags))
    outcome, screen = SetupOutcome(), Screen()
    found = [look(editor, job, is_named=bool(wish.clients)) for editor in editors]
    meant = [one for one in found if _is_meant(wish, one)]
    done = {one.editor: one for one in admitting.applied(meant, job, settings)}
    outcome.findings = [done.get(one.editor, one) for one in found]
    if wish.check:
        from server.cli.setup import checking  # with a client of the SDK, which is slow to import

        outcome.checks = checking.check(outcome.findings, job, is_named=bool(wish.clients))
    if wish.instructions:
        from server.cli.setup import instructing  # with all tools

        used = [one.editor for one in outcome.findings if one.state != "not there"]
        asked = instructing.InstructionsWanted(job, settings, changes=wish.changes)
        outcome.instructed = instructing.instruct(used, asked)
    if as_json:
        screen.json(_payload(wish, outcome))
    else:
        _show(screen, wish, outcome, job)
    return outcome.exit_code


def _chosen(wish: Wish) -> list[Editor]:
    """Return the editors that are meant, or refuse what makes no sense together."""
    if not FITTING.fullmatch(wish.name):
        raise InvalidArguments("--name takes up to 64 of the letters A to Z, digits, - and _.")
    if wish.clients and wish.all_:
        raise InvalidArguments("Name clients or say --all, not both.")
    if wish.check and (wish.remove or wish.dry_run or wish.instructions):
        raise InvalidArguments("--check only looks and starts; leave --remove, --dry-run and --instructions out.")
    if wish.check and wish.scope == "project":
        raise InvalidArguments(
            "--check starts no entry of a project's files, which others write, too; leave --scope project out."
        )
    if not wish.http and (wish.url or wish.token or wish.token_env):
        raise InvalidArguments("--url, --token and --token-env say how --http reaches a server: add it.")
    if wish.http and (wish.check or wish.remove):
        raise InvalidArguments("--check and --remove take an entry as it is; leave --http out.")
    editors = list(dict.fromkeys(map(named, wish.clients))) or list(EDITORS)
    sides = {editor.name: editor.project if wish.scope == "project" else editor.user for editor in editors}
    if wish.clients and (without := [editor for editor in editors if not sides[editor.name]]):
        other = "user" if wish.scope == "project" else "project"
        raise InvalidArguments(f"{without[0].name} has no file of that scope; it takes --scope {other}.")
    fitting = [editor for editor in editors if sides[editor.name]]
    return _reachable(wish, fitting) if wish.http else fitting


def _reachable(wish: Wish, editors: Sequence[Editor]) -> list[Editor]:
    """Return the editors whose entries may say where a server is; one that is named has to be among them."""
    found = [one for one in editors if one.reached and (one.reference or not wish.token_env)]
    if wish.clients and (without := [one for one in editors if one not in found]):
        what = "takes its token from no variable: give --token" if without[0].reached else "only starts servers"
        raise InvalidArguments(f"{without[0].name} {what}; leave it out, or --http.")
    return found


def job_of(wish: Wish, flags: Flags) -> SetupJob:
    """Return what is to be done on this machine."""
    try:
        home, here = Path.home(), Path.cwd()
    except RuntimeError as error:
        raise InvalidArguments("The home folder cannot be told; set HOME.") from error
    except FileNotFoundError as error:
        raise InvalidArguments("The folder that this runs in is gone; go to another one.") from error
    arguments_of(flags)
    machine = Machine(sys.platform, home, here, os.environ)
    return SetupJob(machine, wish.scope, wish.name, launch(), flags, wish.remove)


def _is_meant(wish: Wish, finding: EditorLook) -> bool:
    return wish.changes and finding.state in OPEN


def _show(screen: Screen, wish: Wish, outcome: SetupOutcome, job: SetupJob) -> None:
    if wish.check:
        _show_checks(screen, outcome.checks)
        return
    if wish.dry_run:
        for finding in outcome.findings:
            _show_change(screen, finding)
    if not wish.dry_run or not any(one.state in OPEN for one in outcome.findings):
        home = "" if screen.is_plain else str(job.machine.home)
        rows = [(one.editor.name, _state(one), _short(one.file, home), hidden(one.why)) for one in outcome.findings]
        screen.table(COLUMNS, rows)
    for finding in outcome.findings:
        _show_notes(screen, finding, job)
    _show_instructed(screen, outcome.instructed)
    for line in _advice(wish, outcome, job):
        screen.unbroken(Styled(line, QUIET))


def _state(finding: EditorLook) -> Styled:
    styles = {"cannot be read": TROUBLE, "failed": TROUBLE, "differs": ATTENTION, "not there": QUIET}
    return Styled(finding.state, styles.get(finding.state, ""))


def _short(file: Path, home: str) -> str:
    """Return a path as people write it where they read it, and whole where programs do."""
    return f"~{str(file).removeprefix(home)}" if home and file.is_relative_to(home) else str(file)


def _show_notes(screen: Screen, finding: EditorLook, job: SetupJob) -> None:
    """Say what a person has to know or do now; of a file that setup cannot edit, what to put there by hand."""
    if finding.state in TROUBLED and not job.removes:
        told = f"{finding.editor.title}: {hidden(finding.why)}. It was left alone."
        screen.line(f"{told} By hand, put this into {finding.file}:")
        for line in hidden(snippet(finding.editor, job.name, finding.wanted)).splitlines():
            screen.unbroken(line, indent=2)
    for note in dict.fromkeys(finding.notes if finding.state in ("added", "updated") else ()):
        screen.line(f"{finding.editor.title}: {note}")
    if finding.backup:
        screen.unbroken(Styled(f"{finding.editor.title}: what was there is kept in {finding.backup}", QUIET))
    if finding.state == "added":
        screen.line(f"{finding.editor.title}: {finding.editor.pitfall.replace('`', '')}")


def _show_change(screen: Screen, finding: EditorLook) -> None:
    if finding.commands and finding.state in OPEN:
        for words in finding.commands:
            screen.unbroken(hidden(joined(*words)))
    elif finding.state in OPEN:
        for line in difference(finding):
            _print_exactly(screen, line)


def difference(finding: EditorLook) -> Iterator[str]:
    """Yield the lines of a unified diff of the file, as `patch` takes them.

    Without context: lines of others may hold what is nobody's business, as tokens are.
    """
    names = [str(finding.file) if text is not None else os.devnull for text in (finding.old, finding.new)]
    old, new = ((text or "").splitlines(keepends=True) for text in (finding.old, finding.new))
    for line in difflib.unified_diff(old, new, names[0], names[1], n=0):
        yield hidden(line.removesuffix("\n"))
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _print_exactly(screen: Screen, line: str) -> None:
    """Print a line of somebody's file: its tabs stay, and so does the end of the line where no terminal shows it."""
    body = line.removesuffix("\r")
    told = "\t".join(map(shown, body.split("\t"))) + (line[len(body) :] if screen.is_plain else "")
    if screen.is_plain:
        screen.console.file.write(f"{told}\n")
    else:
        styles = {"+": "green", "-": "red", "@": QUIET}
        screen.unbroken(Styled(told, styles.get(told[:1], "")))


def _show_checks(screen: Screen, checks: Sequence[Checked]) -> None:
    columns = (Column("client"), Column("state"), Column("", is_wide=True))
    rows = [(one.editor.name, Styled(one.state, "" if one.is_good else TROUBLE), one.told) for one in checks]
    screen.table(columns, rows)
    if not checks:
        screen.line("No client on this machine has an entry. `setup --all` puts it in.")


def _show_instructed(screen: Screen, done: Sequence[Instructed]) -> None:
    styles = {"kept": ATTENTION, "failed": TROUBLE, "up to date": QUIET}
    columns = (Column("for agents"), Column("state"), Column("", is_wide=True))
    screen.table(columns, [(one.name, Styled(one.state, styles.get(one.state, "")), one.told) for one in done])
    for one in done:
        for kept in one.kept:
            screen.line(f"kept {kept['path']}: {kept['why']}", indent=2)


def _advice(wish: Wish, outcome: SetupOutcome, job: SetupJob) -> Iterator[str]:
    """Yield what to do next."""
    states = {one.state for one in outcome.findings}
    given = ["--scope", wish.scope] if wish.scope != "user" else []
    given += ["--name", wish.name] if wish.name != NAME else []
    given += [flag for flag, wanted in (("--remove", wish.remove), ("--instructions", wish.instructions)) if wanted]
    told = (("--url", wish.url), ("--token", wish.token), ("--token-env", wish.token_env))
    given += ["--http", *(word for flag, value in told if value for word in (flag, hidden(value)))] if wish.http else []
    who = [*(wish.clients or ["--all"]), *given, *arguments_of(job.flags)]
    is_open = states & set(OPEN) or any(one.state.startswith("would") for one in outcome.instructed)
    if not wish.changes and is_open:
        yield f"Nothing was changed. To do it: {on(Path(default_root()), 'setup', *who)}"
    if states & {"added", "updated"}:
        check = on(Path(default_root()), "setup", "--check", *(["--name", wish.name] if wish.name != NAME else []))
        yield f"Restart the client, or reload its servers. To try the entries: {check}"
    if any(one.state == "removed" and reach_in(one.editor, one.found) for one in outcome.findings):
        yield "A token that was in it stays good until it is revoked: `serve token list` shows which there are."
    passed = [setting.env for setting in SETTINGS if job.machine.environ.get(setting.env)]
    if passed and not wish.remove:
        yield (
            f"{', '.join(passed)} in this shell will not reach every client; give the flag to setup and it stands in "
            "the entry."
        )


def _payload(wish: Wish, outcome: SetupOutcome) -> dict[str, object]:
    return {
        "scope": wish.scope,
        "changed": wish.changes,
        "clients": [_told(one) for one in outcome.findings],
        **({"checks": [one.payload() for one in outcome.checks]} if wish.check else {}),
        **({"instructions": [one.payload() for one in outcome.instructed]} if wish.instructions else {}),
    }


def _told(one: EditorLook) -> dict[str, object]:
    more = {
        "why": hidden(one.why),
        "diff": "\n".join(difference(one)) if one.state in OPEN and not one.commands else "",
        "commands": [hidden(joined(*words)) for words in one.commands] if one.state in OPEN else [],
        "notes": list(one.notes) if one.state in ("added", "updated") else [],
        "backup": str(one.backup) if one.backup else "",
    }
    known = {"client": one.editor.name, "title": one.editor.title, "state": one.state, "file": str(one.file)}
    return {**known, **{name: value for name, value in more.items() if value}}
