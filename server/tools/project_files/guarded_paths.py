"""Which paths of a project no tool touches: secrets, what git and clients are configured by, our own files.

They are told by whole parts of a path and by extension, in the syntax of `.gitignore`, whatever is in front of them.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from pathlib import Path

from server.errors import NotAllowed
from server.settings import DATABASE_NAME, Settings
from server.text.ignore_rules import PathPattern, parse, verdict

IGNORABLE = re.compile("[\N{VARIATION SELECTOR-1}-\N{VARIATION SELECTOR-16}]")


@dataclass(frozen=True)
class Guard:
    """Paths that are kept from agents, and why; some of them only from being written."""

    why: str
    patterns: tuple[str, ...]
    is_readable: bool = False

    @cached_property
    def rules(self) -> tuple[PathPattern, ...]:
        return parse("\n".join(self.patterns))


GUARDS = (
    Guard("it holds secrets", (
        ".env", ".env.*", "*.env", ".envrc", "!.env.example", "!.env.sample", "!.env.template", "!.env.dist",
        "!example.env", "!sample.env", ".flaskenv", "*.pem", "*.key",
        "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.tfstate", "*.tfstate.backup",
        "id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", ".ssh", ".gnupg", ".aws",
        ".azure", ".kube", ".npmrc", ".pypirc", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".s3cfg", ".boto",
        ".git-credentials", ".htpasswd", ".dockercfg", ".vault-token", ".terraformrc", "**/.docker/config.json",
        "**/.config/gcloud", "**/.config/gh", "**/.cargo/credentials", "**/.cargo/credentials.toml",
    )),
    Guard("it belongs to the version control", (".git", "git~?", ".hg", ".svn", ".jj")),
    Guard("it tells a client which servers to start, and may hold their secrets", (
        ".mcp.json", "mcp.json", "mcp-config.json", "mcp_config.json", "opencode.json", "opencode.jsonc",
        ".claude.json", "claude_desktop_config.json", "cline_mcp_settings.json", ".codex", "**/.claude/settings*.json",
        "**/.gemini/settings.json", "**/.zed/settings.json", "**/.continue/config.*", "**/.cursor/hooks.json",
    )),
    Guard("it is the database of this server", (f"{DATABASE_NAME}*",)),
    Guard("it tells which workspace this is, and is written by this server alone", (".projectmemory",), True),
    Guard("what is in it is run without anybody calling it", (
        "**/.github/workflows", "**/.github/actions", "**/.github/hooks", "**/.gitea/workflows",
        "**/.forgejo/workflows", ".woodpecker", ".woodpecker.yml", ".woodpecker.yaml", ".gitlab-ci.yml", ".circleci",
        ".travis.yml", "jenkinsfile", "azure-pipelines.yml", "bitbucket-pipelines.yml", ".drone.yml", ".buildkite",
        ".husky", ".githooks", ".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml",
        ".lefthook.yaml", "**/.claude/hooks", "**/.cursor/hooks", "**/.opencode/plugin", "**/.opencode/plugins",
        ".devcontainer", ".devcontainer.json", "**/.vscode/tasks.json", "**/.vscode/launch.json",
        "**/.vscode/settings.json", "*.code-workspace",
    ), True),
)  # fmt: skip
LAST_NAMES = re.compile(
    "|".join(translate(pattern.rpartition("/")[2].lstrip("!")) for guard in GUARDS for pattern in guard.patterns)
)
LISTED = [
    {"why": guard.why, "kept_from": "writing" if guard.is_readable else "reading and writing", "paths": guard.patterns}
    for guard in GUARDS
]


def against(path: str, *, writing: bool) -> str | None:
    """Return why a path, relative to its workspace, may not be touched, or None if it may."""
    parts = [_plain(part) for part in path.split("/")]
    for guard in GUARDS:
        if (writing or not guard.is_readable) and _is_behind(guard.rules, parts):
            return guard.why
    return None


def is_entry(parts: Sequence[str]) -> bool:
    """Return whether something is kept from being read, in a folder that is not."""
    path = "/".join(map(_plain, parts))
    if not LAST_NAMES.match(path.rpartition("/")[2]):  # most names are none of these, and a folder may hold thousands
        return False
    return any(verdict(guard.rules, path, is_folder=False) for guard in GUARDS if not guard.is_readable)


def refuse(own: Sequence[str] | None, *ways: Sequence[str], writing: bool) -> None:
    """Refuse a file of which some spelling is guarded, or is where this server keeps its `own`."""
    for parts in ways:
        path = "/".join(parts)
        why = against(path, writing=writing)
        if why is None and is_own(own, parts):
            why = "this server keeps its own files there"
        if why:
            raise NotAllowed(
                f"{path[:200]!r} is kept from this tool: {why}. memory_filesystem action='help' topic='read' lists "
                "what is. Ask your user to do it, or leave it alone."
            )


def own_place(settings: Settings, root: str) -> tuple[str, ...] | None:
    """Return where in a folder this server keeps its files, if it does; without parts, if all of it is there."""
    own, here = (tuple(map(_plain, Path(os.path.realpath(path)).parts)) for path in (settings.data_root, root))
    if own[: len(here)] == here:
        return own[len(here) :]
    return () if here[: len(own)] == own else None


def is_own(own: Sequence[str] | None, parts: Sequence[str]) -> bool:
    """Return whether something lies where this server keeps its files."""
    return own is not None and [*map(_plain, parts[: len(own)])] == [*own]


def _is_behind(rules: Sequence[PathPattern], parts: Sequence[str]) -> bool:
    """Return whether the path, or a folder it is in, is one of these."""
    ways = (("/".join(parts[:end]), end < len(parts)) for end in range(1, len(parts) + 1))
    return any(verdict(rules, path, is_folder=is_folder) for path, is_folder in ways)


def _plain(part: str) -> str:
    """Return a name as the most forgiving file system reads it: letter case, look-alikes, dots at the end, streams."""
    composed = IGNORABLE.sub("", unicodedata.normalize("NFKC", part))
    visible = "".join(char for char in composed if unicodedata.category(char) not in ("Cf", "Cc"))
    name = visible.partition(":")[0].rstrip(". ").casefold()
    return unicodedata.normalize("NFKC", name).replace("/", "") or part
