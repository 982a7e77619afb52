"""Finding the old Rule that somebody means: what they typed, and what their tenant says to it.

Source: Auth0 Management API v2 (rules).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from snippets.rendering import RULE_ID
from webapp.auth0.answers import Auth0AnswerError
from webapp.auth0.management import Rule
from webapp.connections.models import Connection
from webapp.connections.tenant_access import CALL_ERRORS, tenant_client
from webapp.errors import WebsyncError

RULE_SCOPE = "read:rules"

_SOME_ID = re.compile(rf"(?<![A-Za-z0-9_]){RULE_ID.pattern}(?![A-Za-z0-9_])")
_NAME = re.compile(r"[A-Za-z0-9](?:[ A-Za-z0-9-]*[A-Za-z0-9])?")
_ENDED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class OldRuleError(ValueError):
    """What was typed can be neither the id nor the name of a Rule. The message says what to type instead."""


@dataclass(frozen=True, slots=True)
class OldRule:
    """A Rule as somebody names it: by its id, or by its name while the id is still to be found."""

    id: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuleSearch:
    """What the tenant has under a name. ``rules`` are all, in the order in which they run.

    ``failure`` says to people why the tenant could not be asked; then the rest is empty.
    """

    matches: tuple[Rule, ...] = ()
    rules: tuple[Rule, ...] = ()
    failure: str | None = None

    @property
    def only(self) -> Rule | None:
        """The Rule, if the name means just one."""
        return self.matches[0] if len(self.matches) == 1 else None

    @property
    def followers(self) -> tuple[Rule, ...]:
        """The Rules that run after the only one and are switched on: they may read what it writes."""
        if self.only is None:
            return ()
        return tuple(rule for rule in self.rules[self.rules.index(self.only) + 1 :] if rule.enabled)


def read_old_rule(text: str) -> OldRule:
    """Return the Rule that ``text`` names: an id, the address of a Rule's page, or a name. Raises OldRuleError."""
    text = text.strip()
    if found := _SOME_ID.search(text):
        return OldRule(id=found[0])
    if not text:
        raise OldRuleError("Type the id or the name of the Rule.")
    if "rul_" in text:
        raise OldRuleError("The id of a Rule is rul_ and 16 letters or digits. This is none: copy it whole.")
    if not _NAME.fullmatch(text):
        raise OldRuleError("A Rule's name has letters, digits, spaces and - only. Type its name, or its id.")
    return OldRule(name=text)


def search_rules(connection: Connection, name: str) -> RuleSearch:
    """Ask the connection's tenant for the Rules of this name. A tenant that cannot be asked is no error here."""
    try:
        with tenant_client(connection) as client:
            # Ids go into code and addresses, so what is no id is no Rule.
            rules = tuple(rule for rule in client.rules() if RULE_ID.fullmatch(rule.id))
    except CALL_ERRORS as error:
        return RuleSearch(failure=_why(error))
    return RuleSearch(matching(rules, name), rules)


def matching(rules: Sequence[Rule], name: str) -> tuple[Rule, ...]:
    """Return the Rules of exactly this name, or else those whose name differs from it in upper and lower case only."""
    exact = tuple(rule for rule in rules if rule.name == name)
    return exact or tuple(rule for rule in rules if rule.name.casefold() == name.casefold())


def _why(error: WebsyncError) -> str:
    status = error.members.get("auth0_status")
    if isinstance(error, Auth0AnswerError) and status in _ENDED:
        return f"Auth0 does not answer for the Rules of this tenant (HTTP {status}). It ended Rules on 2026-11-18."
    return f"{error.title}. {error.detail}"
