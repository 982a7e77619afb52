"""What a notification says: of a run that is over, or of nothing but that it has arrived."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import render_template

from webapp.mail import Mail

_COUNT_NAMES = {
    "read": "Read",
    "checked": "Checked",
    "created": "Created",
    "modified": "Updated",
    "cleared": "Cleared, since Auth0 no longer has them",
    "deleted": "Deleted, since Auth0 no longer has them",
    "linked": "Linked to another user at Auth0",
    "kept": "Kept for another user, since Auth0 no longer has them",
    "unchanged": "Unchanged",
    "notfound": "Not found",
    "consent_mismatch": "Skipped for consent",
    "elsewhere": "Of other databases",
    "invalid": "Invalid",
    "problems": "Problems",
    "problems_not_listed": "Problems beyond the error list",
}
_ERRORS = "errors"
"""Chunks of which not everything was imported: nothing that people count."""
_TITLES = {
    "finished": "is finished",
    "finished_with_errors": "is finished, with errors",
    "failed": "has failed",
    "stopped": "was stopped",
}


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say of a run. Times are ISO 8601 in UTC; no word names a person.

    ``problem`` is the slug of what failed, ``problem_detail`` its sentence.
    """

    run: str
    state: str
    connection: Mapping[str, str]
    goal: Mapping[str, str]
    trigger: str
    requested_at: str
    started_at: str | None
    ended_at: str
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    problem_detail: str = ""

    def as_plain(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)

    @property
    def title(self) -> str:
        """What happened, in a sentence without its full stop."""
        return f"{self.goal['name']} {_TITLES.get(self.state, self.state)}"

    @property
    def counted(self) -> list[tuple[str, int]]:
        """The counts that are not zero, with their names for people."""
        names = [*_COUNT_NAMES, *(name for name in self.counts if name not in {*_COUNT_NAMES, _ERRORS})]
        found = [(name, self.counts.get(name, 0)) for name in names]
        return [(_COUNT_NAMES.get(name, name.replace("_", " ")), count) for name, count in found if count]

    @property
    def started(self) -> str:
        """When it started, for people; empty if it never did."""
        return _told(self.started_at) if self.started_at else ""

    @property
    def ended(self) -> str:
        """When it ended, for people."""
        return _told(self.ended_at)

    @property
    def lasted(self) -> str:
        """How long it ran, such as 1:02:03; empty if it never started."""
        if self.started_at is None:
            return ""
        return str(datetime.fromisoformat(self.ended_at) - datetime.fromisoformat(self.started_at)).partition(".")[0]


def run_mail(news: News, to: str, key: str, *, public_url: str) -> Mail:
    """Return the mail about a run. Needs the app: it is made of templates."""
    subject = f"[Websync] {news.connection['name']}: {news.title}"
    page = {"news": news, "run_url": f"{public_url}/runs/{news.run}"}
    page["settings_url"] = _settings_url(news.connection, public_url)
    return Mail(to, subject, render_template("mail/run.txt", **page), render_template("mail/run.html", **page), key)


def trial_mail(connection: Mapping[str, str], to: str, key: str, *, public_url: str) -> Mail:
    """Return a mail that says that mails arrive."""
    page = {"connection": connection, "settings_url": _settings_url(connection, public_url)}
    subject = f"[Websync] {connection['name']}: a test"
    return Mail(to, subject, render_template("mail/test.txt", **page), render_template("mail/test.html", **page), key)


def run_webhook(news: News, *, public_url: str) -> bytes:
    """Return the body of the webhook about a run (docs/notifications.md). Each try sends the same bytes."""
    data = news.as_plain() | {
        "url": f"{public_url}/runs/{news.run}",
        "problem": {"slug": news.problem, "detail": news.problem_detail} if news.problem else None,
    }
    del data["problem_detail"]
    return _body(f"run.{news.state}", news.ended_at, data)


def trial_webhook(connection: Mapping[str, str], *, now: datetime) -> bytes:
    """Return a body that says that webhooks arrive."""
    return _body("test", now.isoformat(), {"connection": dict(connection)})


def _told(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _settings_url(connection: Mapping[str, str], public_url: str) -> str:
    return f"{public_url}/connections/{connection['key']}/notifications"


def _body(kind: str, timestamp: str, data: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}, separators=(",", ":")).encode()
