"""Forms of actions: filled with what is there, typed as people type, and sent without what was left alone."""

import html
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio

from server.settings import Settings
from server.tools import TOOLS
from server.web.pages.forms import fields
from server.web.pages.forms.editing import PRESENT
from server.web.pages.visit import MOST
from tests.populated_store import PopulatedStore
from tests.served import Served, held, serve


class Form(HTMLParser):
    """The fields of the form of an action, with what a browser would send of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._in = self._select = ""
        self._is_form = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_form = told.get("action", "").startswith("/do/")
        if not self._is_form:
            return
        if tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            before = self.values.get(told["name"], "")
            self.values[told["name"]] = "\n".join(filter(None, (before, told.get("value", ""))))
        elif tag == "textarea":
            self._in = told["name"]
            self.values[self._in] = ""
        elif tag == "select":
            self._select = told["name"]
        elif tag == "option" and ("selected" in told or self._select not in self.values):
            self.values[self._select] = told.get("value", "")
            self._in = self._select if "value" not in told else ""

    def handle_endtag(self, tag: str) -> None:
        self._in = "" if tag in ("textarea", "option") else self._in

    def handle_data(self, data: str) -> None:
        if self._in:
            self.values[self._in] += data

    def shown(self) -> dict[str, str]:
        return {name: text.removeprefix("\n") for name, text in self.values.items()}


@dataclass
class Filled:
    """A store with something of everything, before the owner's browser."""

    browser: httpx2.AsyncClient
    served: Served
    known: dict[str, Any]
    token: str

    async def form(self, action: str, **known: object) -> dict[str, str]:
        page = await self.browser.get(f"/do/{action}", params={name: str(value) for name, value in known.items()})
        assert page.status_code == 200, page.text
        return Form(page.text).shown()

    async def send(self, action: str, shown: Mapping[str, str], **typed: str) -> httpx2.Response:
        sent = {name: text.replace("\n", "\r\n") for name, text in {**shown, **typed}.items()}
        return await self.browser.post(f"/do/{action}", data=sent)

    async def reads(self, action: str, **arguments: Any) -> dict[str, Any]:
        async with self.served.http(self.token) as http:
            return (await http.post(f"/api/tools/{action}", json=arguments)).json()


@pytest_asyncio.fixture
async def filled(copy: PopulatedStore) -> AsyncGenerator[Filled]:
    async with held(serve(Settings(data_root=copy.data_root, synchronous="off"))) as served:
        yield Filled(await served.owner(), served, copy.arguments, await served.token())


@pytest.fixture
def plan(filled: Filled) -> dict[str, str]:
    return {"plan_id": filled.known["plan_id"]}


async def test_a_form_shows_how_a_plan_is_and_sends_what_was_changed_alone(
    filled: Filled, plan: dict[str, str]
) -> None:
    await filled.reads("memory_plan/update", **plan, goals=["Sail", "Return"], description="Two\nlines")
    shown = await filled.form("memory_plan/update", **plan)
    await filled.reads("memory_plan/update", **plan, priority="critical")

    sent = await filled.send("memory_plan/update", shown, title="A longer plan", goals="Sail\nReturn\nRest")
    found = await filled.reads("memory_plan/get", **plan, detail="full")

    assert (shown["title"], shown["goals"], shown["description"]) == ("A plan", "Sail\nReturn", "Two\nlines")
    assert shown["status"] == "active"
    assert sent.status_code in (200, 303), sent.text
    assert (found["title"], found["goals"]) == ("A longer plan", ["Sail", "Return", "Rest"])
    assert (found["priority"], found["description"]) == ("critical", "Two\nlines")


async def test_what_is_emptied_is_empty_then(filled: Filled, plan: dict[str, str]) -> None:
    await filled.reads("memory_plan/update", **plan, goals=["Sail"], description="Words", owner="Ada")
    shown = await filled.form("memory_plan/update", **plan)

    sent = await filled.send("memory_plan/update", shown, goals="", description=" ", owner="")
    found = await filled.reads("memory_plan/get", **plan, detail="full")

    assert sent.status_code in (200, 303), sent.text
    assert not {"goals", "description", "owner"} & {name for name, value in found.items() if value}


async def test_a_form_that_was_left_as_it_was_changes_nothing(filled: Filled, plan: dict[str, str]) -> None:
    before = await filled.reads("memory_plan/get", **plan, detail="full")

    sent = await filled.send("memory_plan/update", await filled.form("memory_plan/update", **plan))

    assert sent.status_code == 303, sent.text
    assert await filled.reads("memory_plan/get", **plan, detail="full") == before


async def test_a_field_that_another_changed_meanwhile_is_not_overwritten(filled: Filled, plan: dict[str, str]) -> None:
    shown = await filled.form("memory_plan/update", **plan)
    await filled.reads("memory_plan/update", **plan, title="Theirs")

    sent = await filled.send("memory_plan/update", shown, title="Mine")

    assert sent.status_code == 409
    assert "Theirs" in html.unescape(sent.text)
    assert "Mine" in sent.text
    assert "was-title" not in sent.text
    assert (await filled.reads("memory_plan/get", **plan))["title"] == "Theirs"


async def test_a_form_that_is_sent_twice_is_done_once(filled: Filled, plan: dict[str, str]) -> None:
    home = {"workspace_id": filled.known["workspace_id"]}
    shown = await filled.form("memory_plan/create", **home)
    typed = [await filled.send("memory_plan/create", shown, title=title) for title in ("One", "One", "Two")]
    again = await filled.send("memory_plan/create", await filled.form("memory_plan/create", **home), title="One")
    listed = await filled.reads("memory_plan/list", **home, limit=50)

    edit = await filled.form("memory_plan/update", **plan)
    changed = [await filled.send("memory_plan/update", edit, title="Changed") for _ in range(2)]

    made = [re.findall(r"plan_\w{12}", one.text)[0] for one in (*typed, again)]
    assert made[0] == made[1]
    assert len(set(made)) == 3
    assert sorted(one["title"] for one in listed["plans"] if one["title"] in ("One", "Two")) == ["One", "One", "Two"]
    assert [one.status_code for one in changed] == [303, 303], changed[1].text


@dataclass(frozen=True)
class Change:
    """A form of something else than a plan, what is typed in one of its fields, and what shows it then."""

    action: str
    takes: tuple[str, ...]
    name: str
    reads: str


CHANGES = [
    Change("memory_steps/update", ("step_id",), "task", "memory_steps/get"),
    Change("memory_program/update", ("program_id",), "title", "memory_program/get"),
    Change("memory_plan/update_phase", ("plan_id", "phase"), "name", "memory_plan/get"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.action)
async def test_other_things_are_changed_the_same_way(filled: Filled, change: Change) -> None:
    steps = (await filled.reads("memory_steps/list", plan_id=filled.known["plan_id"]))["steps"]
    known = {**filled.known, "phase": "One", "step_id": steps[1]["step_id"]}
    given = {one: known[one] for one in change.takes}
    shown = await filled.form(change.action, **given)

    sent = await filled.send(change.action, shown, **{change.name: "A new name"})
    first = change.takes[0]

    assert shown[change.name]
    assert sent.status_code in (200, 303), sent.text
    assert "A new name" in str(await filled.reads(change.reads, **{first: given[first]}))


async def test_an_object_is_typed_as_lines_and_comes_back_in_the_form(filled: Filled) -> None:
    item = await filled.reads("memory_context/get", item_id=filled.known["item_id"])
    page = await filled.browser.get(f"/e/{filled.known['item_id']}")
    [link] = re.findall(r'href="(/do/memory_context/store\?[^"]+)"', page.text)

    shown = Form((await filled.browser.get(html.unescape(link))).text).shown()
    sent = await filled.send("memory_context/store", shown, data="wood: oak\nnails: copper: long")
    found = await filled.reads("memory_context/get", item_id=filled.known["item_id"])

    assert shown["data"] == "a: b"
    assert sent.status_code in (200, 303), sent.text
    assert (item["data"], found["data"]) == ({"a": "b"}, {"wood": "oak", "nails": "copper: long"})


async def test_steps_and_phases_are_typed_one_a_line(filled: Filled) -> None:
    home = {"workspace_id": filled.known["workspace_id"]}
    made = await filled.send(
        "memory_plan/create", home, title="A boat", phases="# Build\nLay the keel\nPlank it\n\n# Sail\nGo out"
    )
    [plan] = (await filled.reads("memory_plan/list", **home, query="A boat"))["plans"]
    where = {"plan_id": plan["plan_id"]}
    await filled.send("memory_steps/add", where, steps="Rest\n# Home\nCome back")
    await filled.send("memory_steps/insert", where, step="Buy wood", at_index="0")
    steps = (await filled.reads("memory_steps/list", **where))["steps"]

    assert made.status_code in (200, 303), made.text
    assert [(one["phase"], one["task"]) for one in steps] == [
        ("Build", "Buy wood"), ("Build", "Lay the keel"), ("Build", "Plank it"), ("Sail", "Go out"), ("Sail", "Rest"),
        ("Home", "Come back"),
    ]  # fmt: skip


async def test_entries_of_several_names_are_typed_a_paragraph_each(filled: Filled, plan: dict[str, str]) -> None:
    page = await filled.browser.get("/do/memory_context/batch_store", params=plan)
    items = "type: wood\ndata:\n  oak: 3\n\n  larch: 4\ntags:\n  - dry\n\n \ntype: sail\ndata:\n  cloth: canvas"
    points = 'name: planks\nvalue: 40\nunit: pieces\n\nname: sails\nvalue: 41\nunit: "1"\n'
    answers = [
        await filled.send("memory_context/batch_store", plan, items=items),
        await filled.send("memory_ledger/record_metrics", plan, points=points),
        await filled.send("memory_ledger/record_metrics", plan, points="name: a\nno colon"),
    ]
    of_plan = {"parent_type": "plan", "parent_id": plan["plan_id"]}
    wood, sail = [await filled.reads("memory_context/get", **of_plan, type=type_) for type_ in ("wood", "sail")]
    metrics = await filled.reads("memory_ledger/list_metrics", **plan)

    assert "It needs type, data. It may have parent_type, " in page.text
    assert [answer.status_code for answer in answers] == [303, 303, 400]
    assert wood["data"] == {"oak": 3, "larch": 4}
    assert sail["data"] == {"cloth": "canvas"}
    assert "40" in str(metrics)
    assert "41" in str(metrics)


def test_what_fills_a_form_is_an_action_that_takes_what_it_is_given() -> None:
    for (tool, action), read in PRESENT.items():
        assert set(read.takes) <= TOOLS[tool].actions[action].params.keys() | {"workspace_id"}
        assert set(read.takes) | read.also.keys() <= TOOLS[read.tool].actions[read.action].params.keys()


@pytest.mark.parametrize("value", ["text", "two\nlines", ["a", "b"], True, False, 3, {"a": [1, None]}, [{"a": 1}]])
def test_a_value_that_is_shown_and_sent_again_stays_the_same(value: object) -> None:
    params = {**TOOLS["memory_plan"].actions["update"].params, **TOOLS["memory_context"].actions["store"].params}
    kinds = {"str": "description", "list": "goals", "bool": "phase_gates", "dict": "data", "int": "expires_in"}

    assert fields.value_of(params[kinds[type(value).__name__]], fields.text_of(value)) == value


async def test_a_person_chooses_plans_programs_and_templates_by_their_titles(filled: Filled) -> None:
    known = filled.known
    page = await filled.browser.get("/do/memory_plan/create", params={"workspace_id": known["workspace_id"]})
    shown = Form(page.text).shown()
    chosen = {"program_id": known["program_id"], "template": "bugfix"}
    several = [("depends_on_plans", one) for one in ("", known["plan_id"], known["plan_ids"][0])]

    fields = [*({**shown, **chosen, "title": "A raft"} | {"depends_on_plans": ""}).items(), *several]
    body = "&".join(urlencode([pair]) for pair in fields)
    done = await filled.browser.post(
        "/do/memory_plan/create", content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    plan_id = done.headers["location"].split("?")[0].rpartition("/")[2]
    plan = await filled.reads("memory_plan/get", plan_id=plan_id, detail="full")
    waits = await filled.reads("memory_plan/get_plan_dependencies", plan_id=plan_id)

    assert f'<option value="{known["program_id"]}">A program</option>' in page.text
    assert re.search(r'type="checkbox" name="depends_on_plans" value="[^"]*"> <span>Plan 0</span>', page.text)
    assert "bugfix: " in page.text
    assert plan["program_id"] == known["program_id"]
    assert set(waits["depends_on_plans"]) == {known["plan_id"], known["plan_ids"][0]}


async def test_what_a_step_waits_for_is_chosen_among_the_steps_of_its_plan(filled: Filled) -> None:
    steps = (await filled.reads("memory_steps/list", plan_id=filled.known["plan_id"]))["steps"]
    on_step = {"step_id": steps[2]["step_id"]}
    fresh = await filled.form("memory_steps/set_dependencies", **on_step)
    await filled.send(
        "memory_steps/set_dependencies", fresh, depends_on=f"{steps[0]['step_id']}\n{steps[1]['step_id']}"
    )
    both = await filled.form("memory_steps/set_dependencies", **on_step)
    page = await filled.browser.get("/do/memory_steps/set_dependencies", params=on_step)
    await filled.send("memory_steps/set_dependencies", both, depends_on="")
    none = await filled.form("memory_steps/set_dependencies", **on_step)

    assert fresh["depends_on"] == none["depends_on"] == ""
    assert both["depends_on"].split("\n") == [step["step_id"] for step in steps[:2]]
    assert "<span>0: a</span>" in page.text
    assert "<span>2: c</span>" not in page.text
    assert f'<span title="{steps[2]["step_id"]}">c</span>' in page.text
    assert not fresh.keys() & {"plan_id", "step_index"}


async def test_where_there_is_more_than_a_form_shows_a_step_is_named_by_its_id(
    filled: Filled, plan: dict[str, str]
) -> None:
    many = [{"task": f"t{number}"} for number in range(MOST + 1)]
    await filled.reads("memory_steps/add", **plan, agent="ada", steps=many)
    steps = (await filled.reads("memory_steps/list", **plan, limit=MOST))["steps"]
    last, waiting = steps[-1]["step_id"], {"step_id": steps[2]["step_id"]}
    form = await filled.form("memory_steps/set_dependencies", **waiting)
    page = await filled.browser.get("/do/memory_steps/set_dependencies", params=waiting)
    await filled.send("memory_steps/set_dependencies", form, depends_on=last)

    assert '<textarea id="f-depends_on"' in page.text
    assert (await filled.form("memory_steps/set_dependencies", **waiting))["depends_on"] == last


@pytest.mark.parametrize("text", ["[" * 5000, "{" * 5000 + '"', '{"a":' * 5000])
async def test_what_is_nested_too_deeply_is_refused_in_words(filled: Filled, plan: dict[str, str], text: str) -> None:
    shown = await filled.form("memory_context/store", **plan)
    page = await filled.send("memory_context/store", shown, type="odd", data=text)

    assert page.status_code < 500
    assert "data" in page.text


async def test_a_program_is_shown_to_another_workspace_by_its_name(filled: Filled) -> None:
    on_it = {"program_id": filled.known["program_id"]}
    shown = await filled.form("memory_program/link_workspace", **on_it)
    elsewhere = filled.known["strange_workspace_id"]

    sent = await filled.send("memory_program/link_workspace", shown, workspace_id=elsewhere)
    found = await filled.reads("memory_program/list", workspace_id=elsewhere)

    assert sent.status_code == 303, sent.text
    assert [one["program_id"] for one in found["programs"]] == [on_it["program_id"]]


@pytest.mark.parametrize(
    ("action", "reads", "name"),
    [
        ("memory_steps/update", "memory_steps/get", "assignee"),
        ("memory_plan/update", "memory_plan/get", "owner"),
        ("memory_program/update", "memory_program/get", "description"),
    ],
)
async def test_a_field_that_was_empty_is_filled_alone(filled: Filled, action: str, reads: str, name: str) -> None:
    steps = (await filled.reads("memory_steps/list", plan_id=filled.known["plan_id"]))["steps"]
    on = {"memory_steps": {"step_id": steps[2]["step_id"]}, "memory_plan": {"plan_id": filled.known["plan_id"]}}
    it = on.get(action.partition("/")[0], {"program_id": filled.known["program_id"]})
    shown = await filled.form(action, **it)

    sent = await filled.send(action, shown, **{name: "Ada"})
    whole = {} if "step_id" in it else {"detail": "full"}
    found = await filled.reads(reads, **it, **whole)

    assert shown[name] == ""
    assert sent.status_code == 303, sent.text
    assert found[name] == "Ada"
