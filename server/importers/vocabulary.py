"""Words of other systems for what is called otherwise here. The original stays in `extra`, since `Fields` leaves it."""

import re
from collections.abc import Mapping
from typing import get_args

from server.importers.values import Fields, plain_word
from server.models.plans import Category, Priority
from server.models.steps import StepStatus, StepType

CATEGORIES = get_args(Category)
CATEGORY_NAMES = {
    "bug": "bugfix", "debug": "bugfix", "fix": "bugfix", "change": "feature", "enhancement": "feature",
    "analysis": "advisory", "investigation": "advisory", "research": "advisory", "documentation": "quick_task",
    "docs": "quick_task",
}  # fmt: skip
PRIORITIES = get_args(Priority)
PRIORITY_NAMES = {
    "p0": "critical", "urgent": "critical", "highest": "critical", "blocker": "critical",
    "p1": "high", "major": "high", "p2": "medium", "normal": "medium", "moderate": "medium", "p3": "low",
    "p4": "low", "minor": "low", "lowest": "low", "trivial": "low",
    "0": "critical", "1": "high", "2": "medium", "3": "low", "4": "low", "5": "medium",
}  # fmt: skip
SECTION = re.compile(r"1\.\d+")  # priorities that are numbered like sections: 1.x is the first of them
PLAN_STATUSES = ("active", "paused", "blocked", "completed", "failed", "archived")
PLAN_STATUS_NAMES = {
    "complete": "completed", "done": "completed", "finished": "completed", "closed": "completed",
    "production": "completed", "resolved": "completed",
    "in_progress": "active", "pending": "active", "open": "active", "draft": "active", "todo": "active",
    "working": "active", "started": "active", "planned": "active", "planning": "active", "not_started": "active",
    "on_hold": "paused", "deferred": "paused", "cancelled": "failed", "canceled": "failed", "abandoned": "failed",
}  # fmt: skip
STEP_STATUSES = get_args(StepStatus)
STEP_STATUS_NAMES = {
    "todo": "pending", "to_do": "pending", "open": "pending", "not_started": "pending", "queued": "pending",
    "new": "pending", "backlog": "pending", "ready": "pending", "planned": "pending", "pinned": "pending",
    "in_progress": "active", "working": "active", "assigned": "active", "started": "active", "review": "active",
    "in_review": "active", "hooked": "active", "doing": "active", "on_hold": "blocked", "waiting": "blocked",
    "completed": "done", "complete": "done", "closed": "done", "finished": "done", "resolved": "done",
    "error": "failed", "skipped": "cancelled", "canceled": "cancelled", "deferred": "cancelled",
    "tombstone": "cancelled", "abandoned": "cancelled", "wontfix": "cancelled", "obsolete": "cancelled",
}  # fmt: skip
STEP_TYPES = get_args(StepType)
TYPE_NAMES = {
    "bugfix": "fix", "bug": "fix", "testing": "test", "tests": "test", "docs": "documentation", "doc": "documentation",
    "implementation": "code", "coding": "code", "review": "validation", "plan": "planning", "feature": "code",
    "task": "standard", "story": "standard", "chore": "standard", "spike": "research",
}  # fmt: skip


def step_status(found: Fields, name: str = "status", more: Mapping[str, str] | None = None) -> str:
    """Take the status of a step; `more` are words of this system that mean something else than elsewhere."""
    return found.choice(name, STEP_STATUSES, STEP_STATUS_NAMES | dict(more or {}), "pending")


def step_type(found: Fields, name: str = "type", more: Mapping[str, str] | None = None) -> str:
    """Take the type of a step."""
    return found.choice(name, STEP_TYPES, TYPE_NAMES | dict(more or {}), "standard")


def plan_status(found: Fields, name: str = "status", more: Mapping[str, str] | None = None) -> str:
    """Take the status of a plan: what was pending, or awaited something, is active."""
    word = plain_word(found.keep(name) or "")
    awaiting = {word: "active"} if word.startswith("awaiting") else {}
    return found.choice(name, PLAN_STATUSES, PLAN_STATUS_NAMES | awaiting | dict(more or {}), "active")


def priority(found: Fields, name: str = "priority", more: Mapping[str, str] | None = None) -> str:
    """Take a priority, a word or a number. `more` is for scales of another length or direction: {"10": "critical"}."""
    word = plain_word(found.keep(name) if found.keep(name) is not None else "")
    sections = {word: "critical"} if SECTION.fullmatch(word) else {}
    return found.choice(name, PRIORITIES, PRIORITY_NAMES | sections | dict(more or {}), "medium")


def category(found: Fields, name: str = "category", more: Mapping[str, str] | None = None) -> str:
    """Take the category of a plan."""
    return found.choice(name, CATEGORIES, CATEGORY_NAMES | dict(more or {}), "feature")
