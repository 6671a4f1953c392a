"""memory_terminal: which argument vectors run without anybody being asked."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.db.audit import events
from server.db.terminal import allowlist
from server.errors import Conflict
from server.models.approvals import Need
from server.models.events import Event
from server.models.terminal import AllowedRule
from server.models.text import Lines
from server.text import command_rules
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.common import Call
from server.tools.render import Page
from server.tools.terminal.tool import TOOL

Operation = Annotated[Literal["add", "remove", "set"], Field(description="add|remove|set")]
Patterns = Annotated[Lines, Field(min_length=1, max_length=100, description="such as 'git log *'")]
MOST_RULES = 200


@TOOL.action(read_only=True, takes=("page",))
async def get_allowlist(call: Call) -> Page:
    """What runs without a human being asked, and who said so.

    It starts empty. What no rule names waits for a human's word when it is run, and then runs once.

    Example: {"action":"get_allowlist"}
    """
    workspace_id = await call.workspace_id(call.db)
    rows = [_told(row) for row in await allowlist.of_workspace(call.db, workspace_id)]
    rows.sort(key=lambda row: row["pattern"])
    after, limit = call.after("allowlist", 1), call.shared.limit
    rest = [row for row in rows if after is None or [row["pattern"]] > after]
    extra = {"workspace_id": workspace_id}
    return Page("patterns", rest[: limit + 1], len(rows), limit, lambda row: [row["pattern"]], "allowlist", extra)


def _told(row: AllowedRule) -> dict[str, Any]:
    text = allowlist.rule_of(row).text
    return {"pattern": text, "allowed_by": row.allowed_by, "via": row.via, "since": row.created_at}


@TOOL.action()
async def update_allowlist(call: Call, *, patterns: Patterns, operation: Operation = "add") -> dict[str, Any]:
    """Propose rules of what may run, or take some back.

    A rule is a whole argument vector, word by word (`git status`); only a star at its end stands for whatever follows
    (`pytest *`). A relative program (`bin/test *`) is the one that has this name in the project folder itself, in no
    other. What is added waits for a human's word and holds once they said yes; nobody can pass that word on. remove
    takes rules away at once, set leaves exactly these.

    Example: {"action":"update_allowlist","patterns":["git status","pytest *"]}
    """
    wanted = {rule.text: rule for rule in map(command_rules.rule, patterns)}
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        found = {rule.text: rule for rule in map(allowlist.rule_of, await allowlist.of_workspace(tx, workspace_id))}
        new = [] if operation == "remove" else sorted(wanted.keys() - found.keys())
        if new:
            _refuse_too_many(len(new) + (len(found) if operation == "add" else 0))
            raise NeedsHuman(_need(workspace_id, new))
        gone = found.keys() & wanted.keys() if operation == "remove" else found.keys() - wanted.keys()
        gone = sorted(gone) if operation != "add" else []
        if gone:
            await allowlist.remove(tx, workspace_id, [found[text] for text in gone])
            summary = f"What may run without asking is less: {', '.join(gone)[:200]}"
            events.record(
                tx, Event("allowlist_changed", "allowlist", workspace_id, summary=summary, data={"removed": gone})
            )
        left = sorted(found.keys() - set(gone))
        return {"workspace_id": workspace_id, "patterns": left, "removed": gone}


def _refuse_too_many(count: int) -> None:
    if count > MOST_RULES:
        raise Conflict(f"There would be {count} rules, and {MOST_RULES} is the most. Remove some, or propose fewer.")


def _need(workspace_id: str, new: list[str]) -> Need:
    """Return the need for a word on rules. The answer makes them hold, whoever asked."""
    stars = [text for text in new if text.endswith(f" {command_rules.ANY}")]
    why = "what agents may run without asking is for a human to say"
    why += f"; behind {', '.join(stars)} anything may follow, other flags and files too" if stars else ""
    what = f"Let agents run without asking, in this workspace: {'; '.join(new)}"
    return Need("allowlist", (), what, why, home=workspace_id, call={"patterns": new})
