"""Moments as people say them: "3 minutes ago". The exact time stands beside it in the page."""

from datetime import UTC, datetime, timedelta

from flask import Flask

UNITS = (("minute", 60), ("hour", 60 * 60), ("day", 24 * 60 * 60))
"""The longest is used that fits at least once, in seconds."""
LONGEST_AGO = timedelta(days=30)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long before ``now`` this was; older than `LONGEST_AGO` is said as a date (UTC)."""
    age = now - moment
    if age > LONGEST_AGO:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    said = "just now"
    for unit, unit_seconds in UNITS:
        count = int(age.total_seconds()) // unit_seconds
        if count >= 1:
            said = f"{count} {unit}{'s' if count > 1 else ''} ago"
    return said


def install_filters(app: Flask) -> None:
    """Give templates the filter ``ago``."""
    app.add_template_filter(lambda moment: ago(moment, datetime.now(UTC)), "ago")
