"""`setup --http`: entries that reach the server of `serve`, with a token or the name of a variable."""

import tomllib
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from server.cli import person as at_terminal
from server.cli.setup.editors import EDITORS, Editor, Scope, named
from server.cli.setup.reaching import TOKEN, Reach
from server.db.access import tokens
from server.models.approvals import Word
from server.settings import Settings, load
from server.store import open_store
from server.text.editing import jsonc
from server.web.access import digest
from tests.cli.test_setup import FILES, NAME, Person, by_file, entry_in, everything, person, put
from tests.served import serve

__all__ = ["person"]

SECRET = "pmt_" + "A-_z09" * 7
OTHER = "pmt_" + "B" * 43
HERE = "http://127.0.0.1:7437/mcp"
FAR = "https://memory.example.com/mcp"
REACHING: list[tuple[Editor, Scope]] = [(editor, scope) for editor, scope in FILES if editor.reached]
AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person who types every code: what was asked is kept."""
    asked: list[str] = []

    def ask(lines: list[str], verb: str, note: str | None = None) -> Word:
        asked.append(verb)
        return Word("terminal")

    monkeypatch.setattr(at_terminal, "ask", ask)
    return asked


def in_use(person: Person) -> dict[str, str]:
    """Return the hashes of the tokens that are good, by name."""

    async def look() -> dict[str, str]:
        db = await open_store(load({}))
        try:
            rows = await db.all("SELECT name, hash FROM tokens WHERE revoked_at IS NULL")
            return {row["name"]: row["hash"] for row in rows}
        finally:
            await db.close()

    return anyio.run(look)


def test_each_client_is_told_in_its_own_form() -> None:
    found = {one.name: one.reached(Reach(FAR, SECRET)) for one in EDITORS if one.reached}
    typed_http = {"type": "http", "url": FAR, "headers": AUTHORIZED}

    assert found == {
        "vscode": typed_http,
        "claude": typed_http,
        "mcp-json": typed_http,
        "copilot": {**typed_http, "tools": ["*"]},
        "codex": {"url": FAR, "http_headers": AUTHORIZED, "required": True, "startup_timeout_sec": 30},
        "gemini": {"httpUrl": FAR, "headers": AUTHORIZED},
        "cursor": {"url": FAR, "headers": AUTHORIZED},
        "opencode": {"type": "remote", "url": FAR, "headers": AUTHORIZED, "oauth": False, "enabled": True},
        "windsurf": {"serverUrl": FAR, "headers": AUTHORIZED},
        "zed": {"url": FAR, "headers": AUTHORIZED},
    }


def test_a_variable_is_named_as_each_client_reads_it() -> None:
    found = {one.name: one.reached(Reach(FAR, variable="MEM")) for one in EDITORS if one.reached and one.reference}
    codex = found.pop("codex")
    words = {name: entry["headers"]["Authorization"] for name, entry in found.items()}  # pyright: ignore[reportIndexIssue]

    assert codex["bearer_token_env_var"] == "MEM"
    assert "http_headers" not in codex
    assert words == {
        "vscode": "Bearer ${env:MEM}", "cursor": "Bearer ${env:MEM}", "windsurf": "Bearer ${env:MEM}",
        "claude": "Bearer ${MEM}", "mcp-json": "Bearer ${MEM}", "gemini": "Bearer ${MEM}",
        "opencode": "Bearer {env:MEM}",
    }  # fmt: skip


@pytest.mark.parametrize(("editor", "scope"), REACHING, ids=by_file)
def test_each_client_gets_its_address_once_and_gives_it_back(person: Person, editor: Editor, scope: Scope) -> None:
    file = person.file(editor, scope)
    given = ("--token-env", "MEM") if editor.reference else ("--token", SECRET)
    words = (editor.name, "--scope", scope, "--http", *given)
    if scope == "project" and not editor.reference:
        assert "--token-env" in person.setup(*words, code=2)
        return
    assert person.states(*words) == {editor.name: "added"}
    assert editor.reached
    wanted = Reach(HERE, variable="MEM") if editor.reference else Reach(HERE, SECRET)
    assert entry_in(editor, file) == editor.reached(wanted)
    before = (file.read_bytes(), file.stat().st_mtime_ns)

    assert person.states(*words) == {editor.name: "up to date"}
    assert person.states(editor.name, "--scope", scope) == {editor.name: "up to date"}
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert person.states(editor.name, "--scope", scope, "--remove") == {editor.name: "removed"}
    assert NAME not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("editor", [one for one, scope in REACHING if scope == "user"], ids=by_file)
def test_a_file_as_people_have_it_keeps_all_else(person: Person, editor: Editor) -> None:
    file = person.file(editor, "user")
    text = (
        '# mine\n[mcp_servers.a]\ncommand = "x" # it\n'
        if editor.is_toml
        else f'{{\n  // mine\n  "{editor.key}": {{\n    "a": {{"command": "x"}} // it\n  }}\n}}\n'
    )
    before = put(file, text)
    person.setup(editor.name, "--http", "--token", SECRET)
    added = file.read_text(encoding="utf-8")
    content: Any = tomllib.loads(added) if editor.is_toml else jsonc.read(added)
    person.setup(editor.name, "--remove")

    assert content[editor.key] == {"a": {"command": "x"}, NAME: editor.reached and editor.reached(Reach(HERE, SECRET))}
    assert file.read_bytes() == before


def test_a_token_is_made_for_each_client_once_a_person_has_typed_the_code(person: Person, typed: list[str]) -> None:
    states = person.states("cursor", "codex", "--http")
    secrets = {one: TOKEN.search(person.file(named(one), "user").read_text("utf-8")) for one in ("cursor", "codex")}
    again = person.states("cursor", "codex", "--http")

    assert states == {"cursor": "added", "codex": "added"}
    assert again == {"cursor": "up to date", "codex": "up to date"}
    assert typed == ["add them"]
    assert {name: found and digest(found[0]) for name, found in secrets.items()} == in_use(person)


def test_a_name_that_is_taken_gets_a_number(person: Person, typed: list[str]) -> None:
    for _ in range(2):
        person.setup("cursor", "--http")
        person.setup("cursor", "--remove")

    assert set(in_use(person)) == {"cursor", "cursor-2"}


def test_what_is_not_written_leaves_no_token_behind(person: Person, typed: list[str]) -> None:
    file = person.file(named("cursor"), "user")
    put(file, "{}")
    file.chmod(0o400)
    states = person.states("cursor", "--http", code=1)

    assert states == {"cursor": "failed"}
    assert typed == ["add them"]
    assert in_use(person) == {}


def test_an_agent_gets_no_token(person: Person) -> None:
    said = person.setup("cursor", "--http", code=1)

    assert "Only a person may" in said
    assert not person.file(named("cursor"), "user").exists()


def test_a_look_makes_no_token_and_shows_none(person: Person, typed: list[str]) -> None:
    file = person.file(named("cursor"), "user")
    looked = person.setup("cursor", "--http", "--dry-run")
    person.setup("cursor", "--http", "--token", SECRET)
    before = everything(person.home)
    told = [person.setup("cursor", "--http", "--token", OTHER, "--dry-run", *more) for more in ((), ("--json",))]
    listed = person.setup("cursor", "--json")

    assert '"Authorization": "Bearer pmt_..."' in looked
    assert typed == []
    assert everything(person.home) == before
    assert SECRET in file.read_text(encoding="utf-8")
    assert not any(TOKEN.search(text) for text in (*told, listed))
    assert "-" in told[0]


def test_an_entry_that_starts_the_server_becomes_one_that_reaches_it_and_keeps_what_was_set(person: Person) -> None:
    file = person.file(named("codex"), "user")
    person.setup("codex", "--tools", "core")
    file.write_text(file.read_text("utf-8").replace("startup_timeout_sec = 30", "startup_timeout_sec = 99"), "utf-8")
    person.setup("codex", "--http", "--token", SECRET)
    reached = entry_in(named("codex"), file)
    person.setup("codex", "--http", "--token", OTHER)
    renewed = entry_in(named("codex"), file)

    assert reached == {"url": HERE, "http_headers": AUTHORIZED, "required": True, "startup_timeout_sec": 99}
    assert renewed["http_headers"] == {"Authorization": f"Bearer {OTHER}"}


def test_claude_code_is_told_the_address_by_its_own_command(person: Person) -> None:
    commands = person.told("claude", "--http", "--token", SECRET, "--dry-run")["clients"][0]["commands"]
    person.has_claude()
    person.setup("claude", "--http", "--token", SECRET)
    added = person.calls()[-1]

    assert "pmt_..." in commands[0]
    assert added[:4] == ["mcp", "add", "--transport", "http"]
    assert added[4:] == ["--scope", "user", NAME, HERE, "--header", f"Authorization: Bearer {SECRET}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("claude-desktop", "--http"), "only starts servers"),
        (("zed", "--http", "--token-env", "MEM"), "from no variable"),
        (("cursor", "--http", "--token", "x"), "pmt_"),
        (("cursor", "--http", "--token-env", "A B"), "name of a variable"),
        (("cursor", "--http", "--token", SECRET, "--token-env", "MEM"), "not both"),
        (("cursor", "--http", "--url", "ftp://x"), "--url"),
        (("cursor", "--http", "--url", FAR), "one there"),
        (("cursor", "--token", SECRET), "--http"),
        (("cursor", "--http", "--check"), "leave --http out"),
        (("cursor", "--http", "--tools", "core", "--token", SECRET), "serve"),
        (("mcp-json", "--scope", "project", "--http", "--token", SECRET), "--token-env"),
    ],
)
def test_what_cannot_be_reached_so_is_refused(person: Person, words: tuple[str, ...], said: str) -> None:
    before = everything(person.home)

    assert said in person.setup(*words, code=2)
    assert everything(person.home) == before


def test_a_check_reaches_the_server_with_the_token(
    person: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve(settings)) as served:
        token, other = portal.call(served.token, "cursor"), portal.call(served.token, "codex")
        monkeypatch.setenv("MEM", other)
        person.setup("cursor", "--http", "--url", served.url, "--token", token)
        person.setup("codex", "--http", "--url", served.url, "--token-env", "MEM")
        works = person.told("--check")
        portal.call(revoke, settings, "cursor")
        monkeypatch.delenv("MEM")
        fails = {one["client"]: one["told"] for one in person.told("--check", code=1)["checks"]}
    gone = person.told("cursor", "--check", code=1)

    assert {one["client"]: one["state"] for one in works["checks"]} == {"codex": "works", "cursor": "works"}
    assert "memory_plan" in works["checks"][0]["told"]
    assert "was revoked" in fails["cursor"]
    assert "MEM is not set" in fails["codex"]
    assert "Does `serve` run?" in gone["checks"][0]["told"]


async def revoke(settings: Settings, name: str) -> None:
    db = await open_store(settings)
    async with db.transaction() as tx:
        await tokens.revoke(tx, name)
    await db.close()
