"""How the inbox is read."""

from server.db.sessions import messages
from server.db.storage.connection import Database
from server.models.base import encode


async def test_an_inbox_is_one_search_of_the_index_of_what_waits(db: Database) -> None:
    params = {"workspace_id": "ws", "names": encode(["ada"]), "rank": -1, "sent_at": "", "id": "", "limit": 21}
    plan = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {messages.inbox_of(['ada'])}", params)]
    used = [detail for detail in plan if "messages" in detail]

    assert used
    assert not any(detail.startswith("SCAN messages") for detail in plan)
    assert any("USING INDEX messages_waiting (workspace_id=? AND <expr>=?)" in detail for detail in used)


async def test_a_thread_is_found_by_an_index(db: Database) -> None:
    params = {"thread_id": "msg_1", "names": "[]", "rank": -1, "sent_at": "", "id": "", "limit": 21}
    plan = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {messages.THREAD}", params)]

    assert not any(detail.startswith("SCAN messages") for detail in plan)
