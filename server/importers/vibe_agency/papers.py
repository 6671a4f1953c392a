"""What the programs wrote beside their work: the state of a run, receipts, requests to others, indexes, documents."""

import re
from typing import Any

from server.importers.reading import is_object, object_of
from server.importers.values import Object, derived
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns
from server.importers.vibe_agency.project import Part

NAMED = {
    ".vibe/runtime/context.json": "runtime_context",
    ".vibe/system_integrity_manifest.json": "system_integrity_manifest",
    "workspaces/.workspace_index.yaml": "workspace_index",
}
TIMES = ("generatedAt", "timestamp", "created_at", "last_updated", "lastUpdated")
DELEGATION = re.compile(r"(request|response)_(.+)\.json$")
OPERATOR = "orchestrator"


def add(part: Part, value: object) -> None:
    """Keep a paper of a workspace as context, by its name or by its path."""
    data: Object = object_of(value) if is_object(value) else {"value": value}
    at = part.moment(*(data.get(name) for name in TIMES), object_of(data.get("metadata")).get("lastUpdated"))
    kind = NAMED.get(part.path, part.path)
    part.add("context_items", columns.item(part, ("workspace", part.workspace_id), kind, data, at=at))


def receipt(part: Part, value: object) -> None:
    """Add a receipt as something that work left behind."""
    data: Object = object_of(value) if is_object(value) else {"value": value}
    agent, task = data.get("agent"), data.get("task")
    at = part.moment(data.get("timestamp"))
    name = part.path.rpartition("/")[2].removesuffix(".json")
    part.add(
        "artifacts",
        columns.evidence(
            part, None, at=at, artifact_id=part.id("art", "receipt", part.path), parent_type="workspace",
            parent_id=part.workspace_id, artifact_type="receipt", name=name, path=part.path, metadata=data,
            status=as_text(data["status"]) if "status" in data else None,
            agent=agent if isinstance(agent, str) else None,
            updated_at=at, version=1,
        ) | {"external_id": task if isinstance(task, str) else None},
    )  # fmt: skip


def delegation(part: Part, value: object, *, is_answered: bool) -> None:
    """Add what one agent asked of another as a message, or the answer to it."""
    data = object_of(value)
    match = DELEGATION.search(part.path)
    is_answer, key = (match[1] == "response", match[2]) if match else (False, part.path)
    told = data.get("request_id")
    request = told if isinstance(told, str) else key
    about = object_of(data.get("metadata"))
    asker, agent = as_text(about.get("delegator") or OPERATOR), as_text(data.get("agent") or "agent")
    body: Any = data.get("result", value) if is_answer else data.get("prompt", value)
    at = part.moment(data.get("timestamp"))
    done = at if is_answer or is_answered else None
    part.add(
        "messages",
        {
            "message_id": part.id("msg", part.path), "workspace_id": part.workspace_id, "plan_id": None,
            "thread_id": derived("thread", part.workspace_id, request), "from_agent": agent if is_answer else asker,
            "to_agent": asker if is_answer else agent, "priority": "medium", "content": as_text(body),
            "message_type": "response" if is_answer else as_text(data.get("type") or "request"),
            "correlation_id": request, "acknowledged_by": None, "acknowledged_at": done,
            "external_id": request, "extra": {columns.NAME: data}, "created_at": at, "updated_at": at,
        },
    )  # fmt: skip


def text(part: Part, content: str) -> None:
    """Keep a text as a document of the workspace."""
    part.add(
        "research_documents", columns.document(part, ("workspace", part.workspace_id), part.path, content, at=part.at)
    )
