"""What a look at a store may find: each kind once, with what it means and what mends it."""

from dataclasses import dataclass
from typing import Literal

from server.settings import Settings
from server.tools.commands import command

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding: how bad it is, why it matters, and what mends it: the words of a command, else advice."""

    severity: Severity
    why: str
    words: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class CheckFinding:
    """Something that a look found. `command` mends it, or `advice` says what a person does."""

    name: str
    severity: Severity
    what: str
    why: str
    command: str | None = None
    advice: str | None = None


RESTORE = (
    "Stop every server, then put the last sound backup in its place: `restore FILE --dry-run` shows what would change."
)
KINDS: dict[str, FindingKind] = {
    "database-missing": FindingKind(
        "warning",
        "There is nothing to look at. A server makes a new store when it starts.",
        advice="If there was one here, look for its folder and name it with --data-root.",
    ),
    "log-without-database": FindingKind(
        "error",
        "The log holds what was written last; a new database beside it would destroy that.",
        advice="Put the database back beside its log, or move log and -shm away if it is lost.",
    ),
    "database-unreadable": FindingKind(
        "error",
        "No server can use it, and nothing more was looked at.",
        advice="Let this user read it (chown, chmod); a link that leads in a circle has to lead to the database.",
    ),
    "not-a-database": FindingKind(
        "error",
        "No server can use it. Something else was written over it, or it was cut off.",
        advice="Move it away together with its -wal and -shm, then restore a backup.",
    ),
    "foreign-database": FindingKind(
        "error", "A server refuses it rather than write into it.", advice="Name another folder with --data-root."
    ),
    "truncated": FindingKind("error", "The end of the file is gone, and the rows in it with it.", advice=RESTORE),
    "schema-newer": FindingKind(
        "error",
        "A newer release wrote it; this one could damage what it does not know, so it refuses every call.",
        advice="Update this program; nothing else is wrong.",
    ),
    "schema-pending": FindingKind(
        "warning",
        "Read-only servers refuse a database that lacks something.",
        ("repair", "schema-pending"),
    ),
    "schema-changed": FindingKind(
        "error",
        "Something else than this program changed tables, indexes or triggers: rows may go unchecked or uncounted.",
        advice=f"If nothing of yours did that on purpose: {RESTORE[0].lower()}{RESTORE[1:]}",
    ),
    "check-failed": FindingKind(
        "error",
        "What could not be read could not be checked. The file may be damaged, or the disk may have failed this once.",
        advice=f"Run the same check again. If it stays: {RESTORE[0].lower()}{RESTORE[1:]}",
    ),
    "busy": FindingKind(
        "warning",
        "Another process has it locked as a whole: not everything was checked.",
        advice="Run it again later.",
    ),
    "integrity": FindingKind("error", "Pages are damaged: rows may be lost.", advice=RESTORE),
    "damaged-indexes": FindingKind(
        "error", "Lists and searches miss rows, though all rows are there.", ("repair", "damaged-indexes")
    ),
    "foreign-keys": FindingKind(
        "error", "These rows belong to something that is gone; no call shows them.", ("repair", "foreign-keys")
    ),
    "sqlite-version": FindingKind(
        "note",
        "Servers of this program keep away from it. Other programs that write to the file may not.",
        advice="Run the server with a Python that has a newer SQLite.",
    ),
    "clock-ahead": FindingKind(
        "warning",
        "Leases and ages that were given then end too late, and what is newest is told wrongly.",
        ("repair", "clock-ahead"),
    ),
    "search-index": FindingKind("warning", "It does not find that, or finds what is gone.", ("repair", "search-index")),
    "orphaned-context": FindingKind("warning", "No call can reach it.", ("repair", "orphaned-context")),
    "orphaned-research": FindingKind("warning", "No call can reach it.", ("repair", "orphaned-research")),
    "orphaned-evidence": FindingKind("warning", "No call can reach it.", ("repair", "orphaned-evidence")),
    "orphaned-facts": FindingKind("warning", "No call can reach them.", ("repair", "orphaned-facts")),
    "orphaned-dependencies": FindingKind(
        "error", "What waits for something that is gone waits for ever.", ("repair", "orphaned-dependencies")
    ),
    "orphaned-members": FindingKind(
        "error", "A program with a plan that is gone can never be finished.", ("repair", "orphaned-members")
    ),
    "ended-claims": FindingKind(
        "warning",
        "Nobody works on these steps, and nobody gets them until the lease ends.",
        ("repair", "ended-claims"),
    ),
    "ended-reservations": FindingKind(
        "warning", "Nobody works on these files, and others keep away from them.", ("repair", "ended-reservations")
    ),
    "dependency-circle": FindingKind(
        "error",
        "Each waits for the next, so none of them can ever begin.",
        advice="Decide which of them need not wait, and set what it depends on anew (set_dependencies).",
    ),
    "workspace-circle": FindingKind(
        "error",
        "A workspace that is below itself has no top, and lists of workspaces leave it out.",
        advice="Unlink one of them from the one above it (unlink).",
    ),
    "broken-json": FindingKind(
        "error",
        "A call that reads such a value fails.",
        advice="Write it anew with a call that sets it, or delete it; a backup has what was there before.",
    ),
    "miscounted-plans": FindingKind(
        "error", "Progress is told wrongly, and a plan may end too soon or never.", ("repair", "miscounted-plans")
    ),
    "miscounted-waits": FindingKind(
        "error", "Steps that are free are not given out, or ones that wait are.", ("repair", "miscounted-waits")
    ),
    "stale-dependencies": FindingKind(
        "error",
        "Something waits for what is done, or does not for what is open.",
        ("repair", "stale-dependencies"),
    ),
    "unread-bytes": FindingKind(
        "error",
        "The disk does not give what was stored.",
        advice=f"Save what it still gives. {RESTORE}",
    ),
    "permissions": FindingKind(
        "warning", "Others on this machine can read, or change, what agents stored.", ("repair", "permissions")
    ),
    "owner": FindingKind(
        "warning",
        "Servers of one user cannot write what belongs to another, and stop each other.",
        advice="Run all servers as one user, and give the folder to that one (chown -R).",
    ),
    "network-file-system": FindingKind(
        "error",
        "SQLite's locks do not hold there: two machines that write destroy the file.",
        advice="Stop every server and move the folder to a local disk; name it with --data-root.",
    ),
    "synced-folder": FindingKind(
        "error",
        "What keeps the folder in step copies the database and its log at different moments, and brings old ones back.",
        advice="Stop every server and move the folder to where nothing syncs it; name it with --data-root.",
    ),
    "disk-space": FindingKind(
        "warning",
        "Writes fail on a full disk, and no backup can be made.",
        advice="Free some space on that disk.",
    ),
    "size": FindingKind("warning", "Everything takes longer: backups, checks, moves.", ("trim", "--dry-run")),
    "growth": FindingKind("warning", "It will soon be larger than warn_size allows.", ("trim", "--dry-run")),
    "backup-missing": FindingKind("warning", "What is lost then is lost for good.", ("backup",)),
    "backup-old": FindingKind("warning", "What was written since would be lost.", ("backup",)),
    "unused-pages": FindingKind("warning", "They take space on the disk and in backups.", ("compact",)),
    "log-size": FindingKind(
        "warning",
        "Reads get slower until it is copied into the database.",
        ("repair", "log-size"),
    ),
    "long-reader": FindingKind(
        "warning",
        "As long as it reads, the log grows with every write.",
        advice="End that program (a shell, a viewer), or let it end its transaction.",
    ),
    "expired": FindingKind("warning", "It takes space, and nothing reads it any more.", ("trim",)),
    "files-in-trash": FindingKind("warning", "They take space, and nothing can bring them back.", ("trim",)),
    "mirror": FindingKind("warning", "Who reads the mirror reads what is not so.", ("mirror",)),
    "workspace-gone": FindingKind(
        "warning",
        "Agents in it find nothing, if it was moved; and nobody needs it, if it was deleted.",
        advice="If it was moved, register it at its new place; if it was deleted, it may stay as it is.",
    ),
    "workspace-moved": FindingKind(
        "warning",
        "The folder says that it belongs to another workspace or place, so agents there may see the wrong one.",
        advice="Register the folder that is meant (register): the answer says what it is taken for.",
    ),
    "client-configuration": FindingKind(
        "warning", "The editor may start another server, another store, or nothing.", ("setup",)
    ),
    "no-client": FindingKind("note", "No agent can use the store then, unless a project's file names it.", ("setup",)),
}


def told(settings: Settings, name: str, what: str) -> CheckFinding:
    """Return a finding with what is known of its kind."""
    kind = KINDS[name]
    words = command(settings, *kind.words) if kind.words else None
    return CheckFinding(name, kind.severity, what, kind.why, words, kind.advice or None)
