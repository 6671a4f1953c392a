"""Requests that are known to the letter, and the answers to them that never change, as the SDK gave them once."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from server.protocol.jsonrpc import Message
from server.settings import ASSETS

RESERVED = "io.modelcontextprotocol/"
VERSION, CLIENT, CAPABILITIES = (
    f"{RESERVED}{name}" for name in ("protocolVersion", "clientInfo", "clientCapabilities")
)
ENVELOPE = (VERSION, CLIENT, CAPABILITIES)
CALL = "tools/call"
TOOL_PARTS = ("name", "title", "description", "inputSchema", "annotations")

MEMBERS = {"jsonrpc", "id", "method", "params"}
# The parameters that a plain request may have, and those that it must have.
PARAMS: Mapping[str, Mapping[str, type]] = {
    "initialize": {"protocolVersion": str, "capabilities": dict, "clientInfo": dict},
    "server/discover": {},
    "ping": {},
    "tools/list": {},
    "resources/list": {},
    "resources/templates/list": {},
    "prompts/list": {},
    CALL: {"name": str, "arguments": dict},
}
OPTIONAL = ("arguments",)
DYNAMIC = (CALL, "resources/list")  # of these only what stands around the result never changes

# What clients say of themselves; `dict` stands for an object of objects.
TEXTS = ("name", "version", "title", "description", "websiteUrl")
ABLE: Mapping[str, Any] = {
    "roots": {"listChanged": bool},
    "sampling": {},
    "elicitation": {"form": {}, "url": {}},
    "experimental": dict,
    "extensions": dict,
}


class Answers:
    """The checked-in answers, cut down to the tools that this server offers."""

    def __init__(self, tools: Sequence[str], *, read_only: bool = False) -> None:
        """Read them; `tools` names tools and groups, all for none."""
        self.read_only = read_only
        told = json.loads((ASSETS / "catalog" / "protocol" / "answers.json").read_text(encoding="utf-8"))
        self.handshakes: Sequence[str] = told["handshakes"]
        self.newer: str = told["newer"]
        eras = {False: "older era", True: "newer era"}
        reading: Mapping[str, Mapping[str, Message]] = told["reading"] if read_only else {}
        self._answers = {newer: {**told[era], **reading.get(era, {})} for newer, era in eras.items()}
        groups: Mapping[str, Sequence[str]] = told["groups"]
        self.tools = [one for name in tools or ("all",) for one in groups.get(name, (name,))]
        self.are_known = set(self.tools) <= set(groups["all"])

    def has(self, method: str, *, newer: bool) -> bool:
        return method in self._answers[newer]

    def to(self, method: str, *, newer: bool) -> Message:
        """Return the result of a request, without what is the call's own."""
        result = self._answers[newer][method]
        return {**result, "tools": self._listed} if method == "tools/list" else result

    @cached_property
    def _listed(self) -> list[Message]:
        files = (ASSETS / "catalog" / f"{name}.json" for name in sorted(set(self.tools)))
        entries = (json.loads(path.read_text(encoding="utf-8")) for path in files)
        return [listed(entry, read_only=self.read_only) for entry in entries]


def listed(entry: Mapping[str, Any], *, read_only: bool) -> Message:
    """Return what `tools/list` says of a tool of the catalog."""
    told = {**entry, **entry["readOnly"]} if read_only else entry
    return {part: told[part] for part in TOOL_PARTS}


def is_plain(message: Message) -> bool:
    """Return whether a request is one of those that clients send in every session, with nothing unusual in it."""
    wanted = PARAMS.get(message["method"])
    if wanted is None or message.keys() - MEMBERS or not isinstance(message.get("params", {}), dict):
        return False
    params: Message = message.get("params", {})
    return all(
        _is_plain_meta(value) if name == "_meta" else name in wanted and type(value) is wanted[name]
        for name, value in params.items()
    ) and all(name in params or name in OPTIONAL for name in wanted)


def _is_plain_meta(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    meta = cast(Message, value)
    return type(meta.get("progressToken", "")) in (str, int) and not any(
        key.startswith(RESERVED) and key not in ENVELOPE for key in meta
    )


def is_plain_client(info: object, capabilities: object) -> bool:
    """Return whether a client says of itself what real ones do."""
    if not isinstance(info, dict):
        return False
    about = cast(Message, info)
    texts = all(key in TEXTS and type(value) is str for key, value in about.items())
    return texts and "name" in about and "version" in about and _fits(capabilities, ABLE)


def _fits(value: object, shape: Any) -> bool:
    if shape is bool:
        return type(value) is bool
    if not isinstance(value, dict):
        return False
    parts = cast(Message, value)
    if shape is dict:
        return all(isinstance(part, dict) for part in parts.values())
    return all(key in shape and _fits(part, shape[key]) for key, part in parts.items())


def can_ask(capabilities: Mapping[str, Any]) -> bool:
    """Return whether a client can put a question to its user in a form: it says so, or of elicitation nothing else."""
    able = capabilities.get("elicitation")
    return able is not None and ("form" in able or "url" not in able)
