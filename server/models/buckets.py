"""When a point of a series is: at a moment, on a day, or in an ISO week; in each form as text that sorts like time."""

import re
from datetime import date

from server.models.text import moment

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
WEEK = re.compile(r"(\d{4})-W(\d{2})")


def bucket(text: str) -> str:
    """Return a bucket as it is stored, or raise ValueError."""
    problem = "must be a time such as 2030-01-31T12:00:00Z, a day such as 2030-01-31 or an ISO week such as 2030-W05"
    try:
        if found := WEEK.fullmatch(text):
            date.fromisocalendar(int(found[1]), int(found[2]), 1)
            return text
        if DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        return moment(text)
    except ValueError as error:
        raise ValueError(problem) from error


def first_day(text: str) -> str:
    """Return the day on which a bucket begins."""
    if found := WEEK.fullmatch(text):
        return date.fromisocalendar(int(found[1]), int(found[2]), 1).isoformat()
    return text[:10]


def week(day: str) -> str:
    """Return the ISO week of a day."""
    year, number, _ = date.fromisoformat(day[:10]).isocalendar()
    return f"{year}-W{number:02}"
