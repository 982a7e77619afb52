"""The tenant that a request is for: its address and its state."""

from dataclasses import dataclass

from flask import current_app

from webapp.auth0.action_engine import Answerer
from webapp.demo.state import TenantState


@dataclass(frozen=True, slots=True)
class Tenant:
    """One demo tenant. ``base_url`` has no slash at its end; the issuer has one, as Auth0's.

    ``answer`` answers what its Actions fetch; without it they have no network.
    """

    base_url: str
    state: TenantState
    answer: Answerer | None = None

    @property
    def issuer(self) -> str:
        """``iss`` of every token."""
        return f"{self.base_url}/"

    @property
    def management_audience(self) -> str:
        """``aud`` of Management API tokens."""
        return f"{self.base_url}/api/v2/"


def tenant() -> Tenant:
    """Return the tenant of the app that answers this request."""
    this: Tenant = current_app.extensions["demo_tenant"]
    return this
