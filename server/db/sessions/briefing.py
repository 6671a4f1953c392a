"""What a briefing reads of tables that have no better place for it: one batch of statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.db.plans.plans import with_done
from server.db.sessions import messages
from server.db.storage.connection import Reader
from server.models.base import encode
from server.models.briefing import ContextLine, KnowledgeLine, MessageLine, PlanLine, ResearchLine

MOST_PLANS = 20
MOST_MESSAGES = 10
MOST_CONTEXT = 50
MOST_RESEARCH = 10
MOST_KNOWLEDGE = 10
FIRST = 200  # characters of a message
TITLE = 100  # characters of the title of a knowledge entry

PLANS = f"""
    SELECT p.*,
        (SELECT count(*) FROM steps WHERE plan_id = p.plan_id) AS steps_total,
        (SELECT count(*) FROM plans WHERE workspace_id = :workspace_id AND status = 'active') AS total
    FROM (
        SELECT plan_id, title, priority, category, recommended_next_agent, updated_at, open_steps,
            folded(coalesce(recommended_next_agent, '')) <> folded(:agent) AS for_others,
            CASE priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END AS rank
        FROM plans WHERE :plan_id IS NULL AND workspace_id = :workspace_id AND status = 'active'
        ORDER BY for_others, rank, updated_at DESC, plan_id DESC LIMIT {MOST_PLANS}
    ) p
    ORDER BY p.for_others, p.rank, p.updated_at DESC, p.plan_id DESC
"""
MESSAGES = f"""
    SELECT message_id, from_agent, priority, created_at, count(*) OVER () AS total,
        substr(content, 1, {FIRST}) AS content
    FROM messages WHERE {{waiting}} ORDER BY {messages.RANK}, created_at, message_id LIMIT {MOST_MESSAGES}
"""
# SQLite looks rows up in an index by such a list only if the outermost select of it is a plain one.
AROUND = """(SELECT * FROM (
    SELECT 'plan', :plan_id UNION ALL SELECT 'workspace', :workspace_id UNION ALL SELECT 'agent', :agent
))"""
CONTEXT = f"""
    SELECT type, parent_type, parent_id, length(CAST(data AS BLOB)) AS bytes, updated_at, count(*) OVER () AS total
    FROM context_items
    WHERE workspace_id = :workspace_id AND (expires_at IS NULL OR expires_at > :now)
      AND (parent_type, parent_id) IN {AROUND}
    ORDER BY parent_type <> 'plan', updated_at DESC, item_id DESC LIMIT {MOST_CONTEXT}
"""
RESEARCH = f"""
    SELECT filename, parent_type, parent_id, updated_at, count(*) OVER () AS total FROM research_documents
    WHERE workspace_id = :workspace_id AND (parent_type, parent_id) IN {AROUND}
    ORDER BY parent_type <> 'plan', updated_at DESC, document_id DESC LIMIT {MOST_RESEARCH}
"""
KNOWLEDGE = f"""
    SELECT slug, substr(title, 1, {TITLE}) AS title, updated_at, count(*) OVER () AS total FROM knowledge
    WHERE workspace_id = :workspace_id AND superseded_by IS NULL
    ORDER BY coalesce(created_by_plan = :plan_id, 0) DESC, updated_at DESC, knowledge_id DESC LIMIT {MOST_KNOWLEDGE}
"""


@dataclass(frozen=True)
class Surroundings:
    """What there is around an agent: plans to work on (without a plan), messages for it, what it may want to read.

    Each the first rows, and how many there are in all.
    """

    plans: tuple[list[PlanLine], int]
    messages: tuple[list[MessageLine], int]
    context: tuple[list[ContextLine], int]
    research: tuple[list[ResearchLine], int]
    knowledge: tuple[list[KnowledgeLine], int]


async def surroundings(
    db: Reader, *, workspace_id: str, plan_id: str | None, agent: str, names: Sequence[str]
) -> Surroundings:
    """Read what is around an agent in a workspace, and on a plan. Messages may be for any of its names."""
    params = {"workspace_id": workspace_id, "plan_id": plan_id, "agent": agent, "now": db.now()}
    params["names"] = encode(list(names))
    waiting = MESSAGES.format(waiting=messages.waiting_for(names))
    plans, mail, context, research, knowledge = await db.batch(
        *((sql, params) for sql in (PLANS, waiting, CONTEXT, RESEARCH, KNOWLEDGE))
    )
    return Surroundings(
        ([PlanLine.of(with_done(row)) for row in plans], plans[0]["total"] if plans else 0),
        ([MessageLine.of(row) for row in mail], mail[0]["total"] if mail else 0),
        ([ContextLine.of(row) for row in context], context[0]["total"] if context else 0),
        ([ResearchLine.of(row) for row in research], research[0]["total"] if research else 0),
        ([KnowledgeLine.of(row) for row in knowledge], knowledge[0]["total"] if knowledge else 0),
    )
