"""Rows of a layout stand on the schema: what a layout does not name is what the database would put there."""

from server.db.storage.connection import Database
from server.db.storage.table_shapes import defaults_of_tables
from server.importers.rows import RowMaker

AT = "2025-07-19T10:00:00.000Z"


async def maker(db: Database) -> RowMaker:
    return RowMaker(await defaults_of_tables(db), "agent-hive", "ws_1", "a.json", AT)


async def test_a_column_may_be_called_as_a_parameter_is(db: Database) -> None:
    make = await maker(db)
    row = make.row("memory_entries", "mem_1", scope="workspace", scope_id="ws_1", namespace="n", key="k", value=1)
    assert (row.key, row.values["key"], row.values["entry_id"]) == ("mem_1", "k", "mem_1")


async def test_a_number_of_a_series_stays_a_number_and_a_fact_is_json(db: Database) -> None:
    make = await maker(db)
    where = {"parent_type": "workspace", "parent_id": "ws_1"}
    point = make.row("metric_points", "point_1", **where, name="n", bucket=AT, value=12.5)
    fact = make.row("memory_entries", "mem_1", scope="workspace", scope_id="ws_1", namespace="n", key="k", value="v")
    assert (point.values["value"], fact.values["value"]) == (12.5, '"v"')


async def test_an_entry_of_a_log_has_no_number_before_it_is_written(db: Database) -> None:
    make = await maker(db)
    row = make.row("event_log", "what tells it apart", type="log", entity_type="workspace", entity_id="ws_1")
    assert row.key == "what tells it apart"
    assert "event_id" not in row.values
    assert row.values["timestamp"] == AT
