"""A backlog in Markdown is read with the priorities that its sections give, not with one for all."""

from server.importers.agent_hive import backlog

TEXT = """<!--
- [ ] **No task** - it stands in a comment
-->
# 📋 Master Backlog

**Last Updated**: July 20, 2025

## 🔥 P0 - Critical (This Week)

### Recovery
- [x] **Restore it** - from history (GitHub #77 vs #75) (Est: 2hr) ✅
  and one more line of it
- [ ] **Plan it** - into <500 line PRs (Est: 30min)
  - [ ] **Plan a part of it**

## P1 High
- [ ] **No emoji here** (GitHub #8) - update (Est: 1.5 hours)
### P3 things that can wait
- [ ] **Later** - (Est: 2 days)
### Others
- [~] Without bold - and begun

## Sync Status
- [ ] **Weekly** - (Est: 15min/week)
```
- [ ] **No task** - it stands in code
```
"""


def test_each_task_has_the_priority_of_the_nearest_heading_that_names_one() -> None:
    found = backlog.parsed(TEXT)
    assert [(item.title, item.priority) for item in found.items] == [
        ("Restore it", "P0"),
        ("Plan it", "P0"),
        ("Plan a part of it", "P0"),
        ("No emoji here", "P1"),
        ("Later", "P3"),
        ("Without bold", "P1"),
        ("Weekly", None),
    ]


def test_sections_title_and_fields_are_told() -> None:
    found = backlog.parsed(TEXT)
    assert found.title == "📋 Master Backlog"
    assert found.fields == {"Last Updated": "July 20, 2025"}
    assert found.sections == [("🔥 P0 - Critical (This Week)", "P0"), ("P1 High", "P1"), ("Sync Status", None)]
    assert found.items[4].path == ("P1 High", "P3 things that can wait")


def test_estimates_issues_and_states_are_taken() -> None:
    items = {item.title: item for item in backlog.parsed(TEXT).items}

    assert [item.minutes for item in items.values()] == [120, 30, None, 90, 960, None, 15]
    assert items["Weekly"].estimate == "15min/week"
    assert items["Restore it"].issues == (77, 75)
    assert items["No emoji here"].issues == (8,)
    assert [item.status for item in items.values()] == [
        "done", "pending", "pending", "pending", "pending", "active", "pending",
    ]  # fmt: skip


def test_what_a_task_says_keeps_every_word_and_the_line_it_goes_on_with() -> None:
    items = {item.title: item for item in backlog.parsed(TEXT).items}

    assert items["Restore it"].description == "from history (GitHub #77 vs #75) (Est: 2hr) ✅\nand one more line of it"
    assert items["Without bold"].description == "and begun"


def test_a_task_that_is_indented_belongs_to_the_one_above_it() -> None:
    items = backlog.parsed(TEXT).items
    assert [item.above for item in items[:4]] == [None, None, 1, None]


def test_line_ends_of_windows_and_files_without_tasks_are_borne() -> None:
    assert len(backlog.parsed(TEXT.replace("\n", "\r\n")).items) == 7
    assert backlog.parsed("").items == []
    assert backlog.parsed("# Only a title").title == "Only a title"
