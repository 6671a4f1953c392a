"""The dashboard, looked at over HTTP with the owner's cookie."""

import html
import re
import sys
from collections.abc import AsyncGenerator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
import shown_stores
from shown_stores import HOSTILE, LINE

from server.db.workspaces import stats
from server.models.search import ID_NAMES
from server.settings import Settings
from server.web import rendering
from server.web.pages.lists import OF_WORKSPACE
from tests.populated_store import PopulatedStore
from tests.served import Served, held, serve

OWN_SCRIPTS = {"/static/vendor/idiomorph.min.js", "/static/page.js"}


class Looked(HTMLParser):
    """What of a page a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in ("img", "iframe", "object", "embed", "style", "base", "b-evil"):
            self.wrong.append(f"<{tag}>")
        if tag == "script" and told.get("src") not in OWN_SCRIPTS:
            self.wrong.append(f"script {attrs}")
        self.wrong += [f"{tag} {name}" for name in told if name.startswith("on") or name == "style"]
        for name in ("href", "action", "src"):
            address = told.get(name) or ""
            if re.match(r"\s*(javascript|data|vbscript):", address, re.IGNORECASE):
                self.wrong.append(f"{tag} {name}={address[:40]}")
        if tag == "a" and (link := told.get("href")):
            self.links.append(link)


def looked_at(text: str) -> Looked:
    found = Looked()
    found.feed(text)
    assert not found.wrong, found.wrong
    for hidden in "\u202e\x07":
        assert hidden not in text
    return found


async def crawl(browser: httpx2.AsyncClient, start: str = "/", most: int = 400) -> dict[str, str]:
    """Follow every link from a page to all others; each has to be there. A form is looked at once for each action."""
    pages: dict[str, str] = {}
    forms: set[str] = set()
    waiting = [start]
    while waiting and len(pages) < most:
        path = waiting.pop(0).partition("#")[0]
        form = path.partition("?")[0] if path.startswith("/do/") else path
        if path in pages or form in forms or not path.startswith("/"):
            continue
        forms |= {form} if path.startswith("/do/") else set()
        answer = await browser.get(path)
        if answer.status_code == 303:
            waiting.append(answer.headers["location"])
            continue
        assert answer.status_code == 200, (path, answer.text[-500:])
        pages[path] = answer.text
        waiting += looked_at(answer.text).links
    return pages


@pytest_asyncio.fixture
async def filled(copy: PopulatedStore) -> AsyncGenerator[tuple[Served, dict[str, Any]]]:
    """A server over a store with something of everything in it, and the arguments that name that."""
    async with held(serve(Settings(data_root=copy.data_root, synchronous="off"))) as served:
        yield served, copy.arguments


async def plan_with_gate(served: Served, project: Path) -> dict[str, Any]:
    """Make a plan whose first phase waits for a person, and ask for it."""
    token = await served.token("Builder")
    async with served.http(token) as http:

        async def call(tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
            return (await http.post(f"/api/tools/{tool}/{action}", json=arguments)).json()

        home = await call("memory_workspace", "register", workspace_path=str(project))
        phases = [{"name": "Build", "approval_required": True, "steps": [{"task": "Lay the keel"}]}]
        plan = await call("memory_plan", "create", workspace_id=home["workspace_id"], title="A boat", phases=phases)
        asked = await call(
            "memory_plan",
            "confirm",
            plan_id=plan["plan_id"],
            confirmation_scope="phase",
            confirm_phase="Build",
            agent="Builder",
        )
        told = await call(
            "memory_session",
            "send_message",
            workspace_id=home["workspace_id"],
            to_agent="human",
            content="Which wood?",
            agent="Builder",
        )
    return {
        "workspace_id": home["workspace_id"],
        "plan_id": plan["plan_id"],
        "approval_id": asked["error"]["approval_id"],
        "message_id": told["message_id"],
        "token": token,
    }


async def read(served: Served, token: str, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
    async with served.http(token) as http:
        return (await http.post(f"/api/tools/{tool}/{action}", json=arguments)).json()


async def test_every_page_that_a_link_leads_to_is_there(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()

    pages = await crawl(browser)

    for path in (f"/p/{known['plan_id']}", f"/w/{known['workspace_id']}", "/board", "/library/skill", "/statistics"):
        assert path in pages
    for name in ("timeline", *OF_WORKSPACE):
        assert f"/w/{known['workspace_id']}/{name}" in pages
    assert "Mind it" in pages[f"/p/{known['plan_id']}"]


async def test_pages_take_numbers_of_what_was_not_counted_to_its_end(
    filled: tuple[Served, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, known = filled
    monkeypatch.setattr(stats, "MOST", 1)
    for module in [one for name, one in sys.modules.items() if name.startswith("server.") and hasattr(one, "COUNTED")]:
        monkeypatch.setattr(module, "COUNTED", 1)

    pages = await crawl(await served.owner())

    assert "1+" in pages["/statistics"]
    assert "1+" in pages[f"/w/{known['workspace_id']}/history"]


async def test_a_list_leads_to_what_its_rows_are_of_by_what_that_is_called(
    filled: tuple[Served, dict[str, Any]],
) -> None:
    served, known = filled
    browser = await served.owner()
    rows = {name: one for name, one in OF_WORKSPACE.items() if one.opens[0]}
    pages = {name: (await browser.get(f"/w/{known['workspace_id']}/{name}")).text for name in rows}

    leads = {
        name: re.findall(r'<a class="open" href="/e/([a-z]+_[^"]+)">(.+?)</a>', text) for name, text in pages.items()
    }
    assert {"sessions", "decisions", "gates", "calls", "budgets", "metrics"} <= {
        name for name, found in leads.items() if found
    }
    assert all(one.opens[0] in one.columns and one.opens[1] not in one.columns for one in rows.values())
    assert all(text.strip() for found in leads.values() for _, text in found)


async def test_a_list_is_narrowed_by_its_filters_and_says_when_nothing_fits(
    filled: tuple[Served, dict[str, Any]],
) -> None:
    served, known = filled
    browser = await served.owner()
    home = f"/w/{known['workspace_id']}"
    narrowed = {
        "knowledge": "tags=nothing-has-this", "programs": "query=nothing+is+called+this", "context": "prefix=zzz",
        "events": "types=note_acknowledged&since_id=1000000", "reservations": "paths=nowhere/at/all.py",
        "history": "until=2001-01-01T00:00:00Z", "decisions": "decision_type=nothing", "budgets": "over=true",
    }  # fmt: skip
    for name, asked in narrowed.items():
        whole, part = await browser.get(f"{home}/{name}"), await browser.get(f"{home}/{name}?{asked}")
        assert (whole.status_code, part.status_code) == (200, 200), (name, part.text[-900:])
        assert "None fits these filters" in part.text, name
        assert "None fits these filters" not in whole.text
        assert f'href="{home}/{name}"' in part.text
    for name, one in OF_WORKSPACE.items():
        page = (await browser.get(f"{home}/{name}")).text
        assert all(f'name="{told}"' in page for told in one.filters)
        assert all(f'type="checkbox" name="{told}"' in page for told in one.filters if told.startswith("include_"))
        assert not one.found or (await browser.get(f"/search?kind={one.found}")).text.count(" selected>") == 1


def test_headings_of_texts_stand_below_those_of_pages() -> None:
    told = str(rendering.markdown("# Wood\n\n## Oak\n\n###### Dry\n\nPine\n====\n"))
    assert re.findall(r"<(h\d)>(.*?)</(h\d)>", told) == [
        ("h3", "Wood", "h3"), ("h4", "Oak", "h4"), ("h6", "Dry", "h6"), ("h3", "Pine", "h3"),
    ]  # fmt: skip


async def test_research_of_all_plans_is_listed_and_opened(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()
    page = (await browser.get(f"/w/{known['workspace_id']}/research")).text
    [path, *_] = re.findall(r'<a class="open" href="(/e/doc_[^"]+)">', page)
    assert (await browser.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (12345, "12,345"), (92000.0, "92,000"), (1.25, "1.25"), ("10000+", "10,000+")]
)
def test_numbers_are_shown_with_their_thousands_apart(number: float | str, shown: str) -> None:
    assert rendering.amount(number) == shown


@pytest.mark.parametrize("kind", ["step_id", "session_id", "item_id", "message_id", "lineage_id", "trash_id", "run_id"])
async def test_anything_with_an_id_has_a_page(filled: tuple[Served, dict[str, Any]], kind: str) -> None:
    served, known = filled
    browser = await served.owner()

    whole = await browser.get(f"/e/{known[kind]}")

    assert whole.status_code == 200
    assert known[kind] in whole.text


async def test_an_empty_store_says_what_to_do(served: Served) -> None:
    browser = await served.owner()

    pages = await crawl(browser)

    assert "No workspace yet" in pages["/"]
    assert "project-memory setup" in pages["/board"]


@pytest.mark.parametrize("path", ["/", "/board", "/search?q=a", "/statistics", "/do/memory_plan/create"])
async def test_who_is_not_the_owner_sees_no_page(served: Served, path: str) -> None:
    token = await served.token()
    async with served.http() as nobody, served.http(token) as agent:
        answers = [await nobody.get(path), await agent.get(path), await agent.post("/do/memory_plan/create")]

    assert {answer.status_code for answer in answers} == {401}
    assert "project-memory serve open" in answers[0].text


async def test_a_yes_in_the_inbox_opens_the_gate(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()

    inbox = await browser.get("/")
    answer = await browser.post(f"/answer/{found['approval_id']}", data={"answer": "yes", "note": "", "back": "/"})
    after = await browser.get("/")
    plan = await read(served, found["token"], "memory_plan", "get", plan_id=found["plan_id"])

    assert "Confirm phase" in inbox.text
    assert "<title>(2) Inbox" in inbox.text
    assert f'href="/p/{found["plan_id"]}">A boat</a>' in inbox.text
    assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/")
    assert "Confirm phase" not in after.text
    [phase] = plan["phases"]
    assert (phase["confirmed_by"], phase["confirmed_via"]) == ("human", "dashboard")


async def test_a_no_with_a_note_reaches_whoever_asked(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()

    await browser.post(f"/answer/{found['approval_id']}", data={"answer": "no", "note": "not before May"})
    told = await read(served, found["token"], "memory_workspace", "approvals", approval_id=found["approval_id"])
    again = await browser.post(f"/answer/{found['approval_id']}", data={"answer": "no"})

    assert "'status': 'rejected'" in str(told)
    assert "not before May" in str(told)
    assert again.status_code == 409
    assert "rejected already" in html.unescape(again.text)


async def test_an_answer_to_a_message_is_the_humans(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()
    fields = {"to_agent": "Builder", "thread_id": found["message_id"], "workspace_id": found["workspace_id"]}

    await browser.post("/do/memory_session/send_message", data={**fields, "content": "Oak, <b>dry</b>", "back": "/"})
    inbox = await read(
        served, found["token"], "memory_session", "inbox", workspace_id=found["workspace_id"], agent="Builder"
    )

    [message] = [one for one in inbox["messages"] if "Oak" in one["content"]]
    assert (message["content"], message["from_agent"]) == ("Oak, <b>dry</b>", "human")


async def test_what_destroys_is_shown_before_it_is_done(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()
    fields = {"plan_id": known["plan_id"], "force": "true", "back": "/board"}

    preview = await browser.post("/do/memory_plan/delete", data=fields)
    still = await browser.get(f"/p/{known['plan_id']}")
    done = await browser.post("/do/memory_plan/delete", data={**fields, "confirm": "true"})
    gone = await browser.get(f"/p/{known['plan_id']}")

    assert "nothing is done yet" in preview.text
    assert still.status_code == 200
    assert done.status_code == 303, done.text
    assert urlsplit(done.headers["location"]).path == "/board"
    assert gone.status_code == 404


async def test_a_link_that_an_agent_wrote_confirms_nothing_beforehand(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()
    form = await browser.get(f"/do/memory_plan/delete?plan_id={known['plan_id']}&force=true&confirm=true&back=/board")
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form.text))
    shown = await browser.post("/do/memory_plan/delete", data={**fields, "force": "true"})

    assert form.status_code == 200
    assert 'name="confirm"' not in form.text
    assert "nothing is done yet" in shown.text
    assert (await browser.get(f"/p/{known['plan_id']}")).status_code == 200


async def test_an_address_of_nothing_leads_back_to_what_there_is(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()
    for path in ("/nothing", "/static/nothing.js", "/p/plan_none", f"/w/{known['workspace_id']}/nothing"):
        answer = await browser.get(path, headers={"accept": "text/html,*/*"})
        assert answer.status_code == 404
        assert "<h1>Nothing is here</h1>" in answer.text
        assert 'href="/"' in answer.text


async def test_a_form_changes_what_it_says_and_leaves_the_rest(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()
    form = await browser.get(f"/do/memory_plan/update?plan_id={known['plan_id']}")
    fields = {"plan_id": known["plan_id"], "goals": "One goal\nand another", "priority": "high", "title": ""}

    await browser.post("/do/memory_plan/update", data={**fields, "back": f"/p/{known['plan_id']}"})
    page = await browser.get(f"/p/{known['plan_id']}")

    assert 'name="success_criteria"' in form.text
    assert "<li>One goal</li><li>and another</li>" in page.text
    assert "<h1>A plan</h1>" in page.text


async def test_what_was_typed_is_not_lost_when_it_is_refused(filled: tuple[Served, dict[str, Any]]) -> None:
    served, _ = filled
    browser = await served.owner()

    refused = await browser.post("/do/memory_plan/add_note", data={"plan_id": "plan_none", "note": "A long thought"})
    strange = await browser.post("/do/memory_plan/add_note", data={"plan_id": "plan_none", "colour": "red"})

    assert refused.status_code == 404
    assert "A long thought" in refused.text
    assert strange.status_code == 400


@pytest.mark.parametrize("back", ["https://example.com/", "//example.com", "/\\example.com", "javascript:alert(1)"])
async def test_a_page_leads_back_to_no_other_server(filled: tuple[Served, dict[str, Any]], back: str) -> None:
    served, known = filled
    browser = await served.owner()

    done = await browser.post("/do/memory_plan/add_note", data={"plan_id": known["plan_id"], "note": "n", "back": back})
    form = await browser.get("/do/memory_plan/create", params={"back": back})

    assert done.headers["location"] == "/?did=memory_plan.add_note"
    assert back not in form.text


async def test_the_search_leads_to_whatever_is_found_and_to_each_kind(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser, token = await served.owner(), await served.token("Builder")
    decided = {"plan_id": known["plan_id"], "decision": "Oakwood", "rationale": "Larch splits", "agent": "Builder"}
    made = await read(served, token, "memory_ledger", "decide", **decided)

    pages = {kind: (await browser.get("/search", params={"q": "a", "kind": kind})).text for kind in ID_NAMES}
    found = await browser.get("/search", params={"q": "Oakwood", "kind": "decision"})

    offered = set(re.findall(r"<option[^>]*>([a-z]+)<", pages["plan"]))
    assert offered >= ID_NAMES.keys() - {"action"}
    assert f"/e/{made['decision_id']}" in looked_at(found.text).links
    assert (await browser.get(f"/e/{made['decision_id']}")).status_code == 200


async def test_the_search_finds_words_and_leads_to_what_has_them(filled: tuple[Served, dict[str, Any]]) -> None:
    served, known = filled
    browser = await served.owner()

    found = await browser.get("/search", params={"q": "Mind it"})
    nothing = await browser.get("/search", params={"q": "xyzzyplugh"})

    links = looked_at(found.text).links
    assert f"/e/{known['note_ids'][0]}" in links
    assert "Nothing has these words" in nothing.text


async def test_the_graph_draws_what_waits_for_what(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    steps = [{"task": "Plank it"}, {"task": "Paint it", "depends_on": [1]}, {"task": "Sail", "depends_on": [2]}]
    await read(served, found["token"], "memory_steps", "add", plan_id=found["plan_id"], steps=steps)
    browser = await served.owner()

    page = await browser.get(f"/p/{found['plan_id']}/graph")

    assert page.text.count('class="box') == 3
    assert page.text.count('class="line critical"') == 2
    assert "unblocks 3 Sail" in page.text


async def test_hostile_texts_stay_texts_on_every_page(served: Served, project: Path) -> None:
    """Whatever agents store, a page shows it: nothing of it becomes an element, an attribute or an address."""
    token = await served.token("Mallory")
    async with served.http(token) as http:

        async def call(tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
            answer = await http.post(f"/api/tools/{tool}/{action}", json=arguments)
            assert answer.status_code == 200, answer.text
            return answer.json()

        known = await shown_stores.hostile(call, project)
        await http.post(
            "/api/tools/memory_plan/confirm",
            json={
                "plan_id": known["plan_id"],
                "confirmation_scope": "phase",
                "confirm_phase": LINE,
                "note": HOSTILE,
                "session_id": known["session_id"],
            },
        )
    browser = await served.owner()

    pages = await crawl(browser)
    searched = looked_at((await browser.get("/search", params={"q": "<script>alert(1)</script>"})).text)
    refused = await browser.post("/do/memory_plan/add_note", data={"plan_id": HOSTILE, "note": HOSTILE})

    plan = f"/p/{known['plan_id']}"
    assert plan in pages
    assert len(pages) > 40
    assert "{{ 7*7 }}" in pages[plan]
    assert searched.links
    looked_at(refused.text)


def test_what_others_wrote_is_as_the_registry_has_it() -> None:
    vendor = rendering.STATIC / "vendor"
    told = dict(
        re.findall(r"^\| `(\S+)` .*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text("utf-8"), re.MULTILINE)
    )

    assert told == {path.name: sha256(path.read_bytes()).hexdigest() for path in vendor.glob("*.js")}
    assert "eval(" not in "".join(path.read_text("utf-8") for path in vendor.glob("*.js"))


def test_the_assets_are_small_and_templates_hold_no_script_and_no_style() -> None:
    sizes = {path.name: path.stat().st_size for path in rendering.STATIC.rglob("*") if path.is_file()}

    assert sum(sizes.values()) < 100_000
    assert sizes["style.css"] < 20_000
    for path in (rendering.HERE / "templates").iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|\| *safe", text), path.name


async def test_a_browser_keeps_our_files_and_asks_whether_they_are_the_same(served: Served) -> None:
    browser = await served.owner()
    first = await browser.get("/static/page.js")
    again = await browser.get("/static/page.js", headers={"if-none-match": first.headers["etag"]})
    page = await browser.get("/")

    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    assert (again.status_code, again.content) == (304, b"")
    assert page.headers["cache-control"] == "no-store"
