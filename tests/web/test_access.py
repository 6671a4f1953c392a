"""Who is let in over HTTP, as what, and who is not."""

import sys
from pathlib import Path

import pytest

from server.db.access import tokens, web_sessions
from server.db.storage.connection import Database
from server.models.approvals import Word
from server.models.base import later
from server.settings import Settings
from server.store import open_store
from server.web import access
from server.web.places.addresses import ServeOptions
from tests.populated_store import allow_programs
from tests.served import Served, call, let_in, serve

CALL = "/api/tools/memory_workspace/list"


async def register(served: Served, token: str, project: Path) -> dict:
    async with served.http(token) as http:
        answer = await http.post("/api/tools/memory_workspace/register", json={"workspace_path": str(project)})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", [CALL, "/mcp"])
async def test_without_a_token_nothing_is_called_and_the_reason_is_told(served: Served, path: str) -> None:
    async with served.http() as http:
        answer = await http.post(path, json={})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["error"]["message"]


async def test_a_token_that_is_unknown_or_revoked_is_refused_at_once(served: Served) -> None:
    token = await served.token("builder")
    async with served.http(token) as http:
        before = await http.post(CALL, json={})
        db = await served.site.state.store.open()
        async with db.transaction() as tx:
            await tokens.revoke(tx, "builder")
        revoked = await http.post(CALL, json={})
        unknown = await http.post(CALL, json={}, headers={"authorization": "Bearer pmt_x"})
        other_scheme = await http.post(CALL, json={}, headers={"authorization": "Basic eDp5"})

    assert before.status_code == 200
    assert revoked.status_code == unknown.status_code == other_scheme.status_code == 401
    assert "'builder' was revoked" in revoked.json()["error"]["message"]
    assert "not known" in unknown.json()["error"]["message"]


async def test_the_file_holds_no_token_and_no_cookie(served: Served) -> None:
    token = await served.token()
    browser = await served.owner()
    secret = browser.headers["cookie"].partition("=")[2]
    await (await served.site.state.store.open()).checkpoint()
    folder = served.site.state.store.settings.data_root
    stored = b"".join(path.read_bytes() for path in folder.glob("project-memory.db*"))

    assert b"tester" in stored
    assert token.encode() not in stored
    assert secret.encode() not in stored


async def test_a_reader_reads_and_writes_nothing(served: Served, project: Path) -> None:
    await register(served, await served.token(), project)
    async with served.http(await served.token("viewer", "reader")) as http:
        read = await http.post(CALL, json={})
        written = await http.post("/api/tools/memory_plan/create", json={"title": "No", "agent": "a"})
        exported = await http.post("/api/tools/memory_plan/archive", json={"plan_id": "plan_1rqewqexykb7"})

    assert [one["path"] for one in read.json()["workspaces"]] == [str(project)]
    assert written.status_code == exported.status_code == 403
    assert "reader" in written.json()["error"]["message"]


async def test_what_is_written_with_a_token_names_it_in_the_log(served: Served, project: Path) -> None:
    token = await served.token("nightly build")
    workspace_id = (await register(served, token, project))["workspace_id"]
    async with served.http(token) as http:
        await http.post(
            "/api/tools/memory_plan/create", json={"title": "P", "agent": "worker", "workspace_id": workspace_id}
        )
        found = (await http.post("/api/tools/memory_workspace/events", json={"workspace_id": workspace_id})).json()

    made = [event for event in found["events"] if event["type"] == "plan_created"]
    assert [(event["agent"], event["data"]["token"]) for event in made] == [("worker", "nightly build")]


async def test_an_agent_with_a_token_is_no_person(served: Served, project: Path) -> None:
    token = await served.token()
    workspace_id = (await register(served, token, project))["workspace_id"]
    async with served.http(token) as http:
        answer = await http.post(
            "/api/tools/memory_plan/create", json={"title": "P", "agent": "human", "workspace_id": workspace_id}
        )

    assert answer.status_code == 400
    assert "person" in answer.json()["error"]["message"]


async def test_a_link_lets_one_browser_in_once(served: Served) -> None:
    link = await served.link()
    async with served.browser() as browser, served.browser() as other:
        looks = [await browser.get(link.removeprefix(served.home)) for _ in range(3)]
        first = await let_in(browser, link)
        second = await let_in(other, link)
        call = await browser.post(CALL, json={})
        refused = await other.post(CALL, json={})

    assert {look.status_code for look in looks} == {200}
    assert not any("set-cookie" in look.headers for look in looks)
    assert first.status_code == 303
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert second.status_code == 403
    assert "set-cookie" not in second.headers
    assert call.status_code == 200
    assert refused.status_code == 401


async def test_a_link_is_no_good_after_a_minute(served: Served) -> None:
    link = await served.link()
    db = await served.site.state.store.open()
    async with db.transaction() as tx:
        await tx.run("UPDATE web_links SET expires_at = :past", {"past": later(tx.now(), -1)})
    async with served.browser() as browser:
        answer = await let_in(browser, link)

    assert answer.status_code == 403
    assert "serve open" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": ""},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
    ],
    ids=str,
)
async def test_a_page_of_others_can_use_neither_the_link_nor_the_cookie(served: Served, headers: dict) -> None:
    browser = await served.owner()
    link = await served.link()
    answers = [
        await browser.post(CALL, json={}, headers=headers),
        await browser.post("/enter", data={"code": link.partition("code=")[2]}, headers=headers),
        await browser.post("/leave", headers=headers),
    ]
    after = await browser.post(CALL, json={})

    assert {answer.status_code for answer in answers[:2]} <= {401, 403}
    assert not any("pm_owner=" in answer.headers.get("set-cookie", "").replace('pm_owner=""', "") for answer in answers)
    assert after.status_code == 200


async def test_the_cookie_counts_at_the_name_of_the_dashboard_alone(served: Served) -> None:
    browser = await served.owner()
    async with served.http() as http:
        answer = await http.post(
            CALL, json={}, headers={"cookie": browser.headers["cookie"], "sec-fetch-site": "same-origin"}
        )

    assert answer.status_code == 401


async def test_mcp_takes_no_cookie(served: Served) -> None:
    browser = await served.owner()

    assert (await browser.post("/mcp", json={})).status_code == 401


async def test_who_leaves_or_is_revoked_is_out(served: Served) -> None:
    first, second = await served.owner(), await served.owner()
    await first.post("/leave")
    left = await first.post(CALL, json={})
    db = await served.site.state.store.open()
    async with db.transaction() as tx:
        assert await web_sessions.revoke(tx, None) == 1
    revoked = await second.post(CALL, json={})

    assert left.status_code == revoked.status_code == 401


async def test_a_browser_that_comes_back_stays_in_for_another_while(served: Served) -> None:
    browser = await served.owner()
    db = await served.site.state.store.open()
    fresh = await browser.post(CALL, json={})
    async with db.transaction() as tx:
        await tx.run("UPDATE web_sessions SET expires_at = :soon", {"soon": later(tx.now(), 60)})
    renewed = await browser.post(CALL, json={})
    [row] = await web_sessions.all_(db)

    assert "set-cookie" not in fresh.headers
    assert browser.headers["cookie"] in renewed.headers["set-cookie"]
    assert row.expires_at > later(db.now(), web_sessions.SESSION_SECONDS - 60)


async def test_what_the_owner_does_is_a_persons(served: Served, project: Path) -> None:
    token = await served.token()
    workspace_id = (await register(served, token, project))["workspace_id"]
    steps = [{"task": "Ship", "requires_confirmation": True}]
    plan = {"title": "P", "agent": "worker", "workspace_id": workspace_id, "steps": steps}
    async with served.http(token) as http:
        made = (await http.post("/api/tools/memory_plan/create", json=plan)).json()
        confirm = {"plan_id": made["plan_id"], "confirmation_scope": "step", "step_index": 0}
        asked = await http.post("/api/tools/memory_plan/confirm", json={**confirm, "agent": "worker"})
    browser = await served.owner()
    done = await browser.post("/api/tools/memory_plan/confirm", json=confirm)
    found = (await browser.post("/api/tools/memory_workspace/events", json={"workspace_id": workspace_id})).json()
    [event] = [event for event in found["events"] if event["type"] == "step_confirmed"]

    assert asked.status_code == 403
    assert asked.json()["error"]["code"] == "gated"
    assert done.status_code == 200, done.text
    assert done.json()["confirmed_via"] == "dashboard"
    assert event["agent"] == "human"
    assert "token" not in event["data"]


async def test_over_a_network_the_host_stays_untouched(settings: Settings, project: Path) -> None:
    options = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    async with serve(settings, options) as served, served.http(await served.token()) as http:
        calls = [
            ("memory_workspace/register", {"workspace_path": str(project)}),
            ("memory_filesystem/read", {"path": "x"}),
            ("memory_terminal/run", {"command": "ls", "agent": "a"}),
            ("memory_plan/run_build_script", {"script_name": "x"}),
            ("memory_context/dump_context", {"output_path": "x.json", "plan_id": "plan_1rqewqexykb7"}),
            ("memory_plan/import", {"plan_file_path": "x.md", "agent": "a"}),
        ]
        refused = {name: await http.post(f"/api/tools/{name}", json=sent) for name, sent in calls}
        read = await http.post(CALL, json={})
    allowed_options = ServeOptions(
        port=0, behind_proxy=True, public_url="https://memory.example.com", allow_host_tools=True
    )
    async with serve(settings, allowed_options) as served:
        allowed = await register(served, await served.token("other"), project)

    assert {name: one.status_code for name, one in refused.items()} == dict.fromkeys(refused, 403)
    assert all("--allow-host-tools" in one.json()["error"]["message"] for one in refused.values())
    assert read.status_code == 200
    assert allowed["workspace_id"]


async def test_over_a_network_no_file_comes_back_from_the_trash(settings: Settings, project: Path) -> None:
    (project / "notes.txt").write_text("kept", encoding="utf-8")
    async with serve(settings) as served:
        token = await served.token()
        home = {"workspace_id": (await register(served, token, project))["workspace_id"], "agent": "a"}
        async with served.http(token) as http:
            deleted = await call(http, "memory_filesystem", "delete", path="notes.txt", confirm=True, **home)
    options = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    async with serve(settings, options) as served, served.http(token) as http:
        sent = {"trash_id": deleted["trash_id"], **home}
        refused = await http.post("/api/tools/memory_workspace/restore", json=sent)

    assert refused.status_code == 403, refused.text
    assert not (project / "notes.txt").exists()


async def test_over_a_network_no_page_shows_what_a_program_wrote(settings: Settings, project: Path) -> None:
    async with serve(settings) as served:
        token = await served.token()
        home = (await register(served, token, project))["workspace_id"]
        await allow_programs(settings, home, f"{sys.executable} *")
        async with served.http(token) as http:
            call = {"workspace_id": home, "command": sys.executable, "args": ["-c", "print('x' * 7)"]}
            run_id = (await http.post("/api/tools/memory_terminal/run", json=call)).json()["run_id"]
        here = await (await served.owner()).get(f"/e/{run_id}")
    options = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    async with serve(settings, options) as served:
        there = await (await served.owner()).get(f"/e/{run_id}")

    assert (here.status_code, "x" * 7 in here.text) == (200, True)
    assert (there.status_code, "x" * 7 in there.text) == (403, False)


async def test_behind_a_proxy_the_cookie_travels_over_tls_alone(settings: Settings) -> None:
    options = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    async with serve(settings, options) as served, served.browser() as browser:
        answer = await let_in(browser, await served.link())

    assert answer.headers["set-cookie"].startswith("__Host-pm_owner=")
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_name_is_free_again_once_its_token_is_revoked(db: Database) -> None:
    first = await access.add_token(db, "ci", "agent", Word("terminal"))
    async with db.transaction() as tx:
        await tokens.revoke(tx, "ci")
    second = await access.add_token(db, "ci", "reader", Word("terminal"))
    again = await open_store(Settings(data_root=db.path.parent, synchronous="off"))
    found = [(one.name, one.role, one.revoked_at is None) for one in await tokens.all_(again)]
    await again.close()

    assert first != second
    assert found == [("ci", "reader", True), ("ci", "agent", False)]
