"""The second half of a trial: from what the code did to the token, and to the change of the profile. It only reads."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from snippets.goals import WebGoal
from webapp.connections.goals import NoTenantError, find_live_goal
from webapp.errors import WebsyncError
from webapp.profiles.embedded import property_types
from webapp.profiles.linking import IdentityConflictError
from webapp.profiles.values import PropertyType
from webapp.tokens.preview import preview_sync
from webapp.tokens.refusals import TokenRefusedError, TokenTooLargeError
from webapp.trying.logins import TriedLogin
from webapp.trying.notes import notes_to_auth0, notes_to_profile
from webapp.trying.result import Refusal, Result, show_run, show_sync, show_token
from webapp.trying.running import NoTokenError, Run, token_claims


def follow(session: Session, goal: WebGoal, login: TriedLogin, done: Run, *, now: datetime) -> Result:
    """Return all that ``login`` would do at ``now``, given what the code did. ``session`` only reads."""
    shown, notes = show_run(login, done), tuple(notes_to_auth0(goal, login, done))
    try:
        # At the revision that was run, should somebody have saved the goal meanwhile.
        live = replace(find_live_goal(session, goal.key), web_goal=goal)
        claims = token_claims(goal, login, done, issuer=live.tenant.issuer, now=now)
    except NoTokenError as error:
        return Result(shown, notes, refusal=Refusal("There is no token", str(error)))
    except (NoTenantError, TokenRefusedError, TokenTooLargeError) as error:
        return Result(shown, notes, refusal=_refusal(error))
    token = show_token(claims)
    try:
        plan = preview_sync(session, live, claims, profile_hint=login.profile_id, now=now)
    except (IdentityConflictError, TokenRefusedError) as error:
        return Result(shown, notes, token, refusal=_refusal(error))
    notes = tuple(sorted((*notes, *notes_to_profile(goal, login, plan)), key=lambda note: note.position))
    return Result(shown, notes, token, show_sync(goal, plan, known_types(session, goal), claims, hint=login.profile_id))


def known_types(session: Session, goal: WebGoal) -> dict[str, PropertyType]:
    """Return the types of the properties that the goal's rows name, as far as they are defined."""
    mapped = {mapping.profile_property for mapping in goal.mappings}
    return property_types(session, mapped | {link.profile_property for link in goal.links})


def _refusal(error: WebsyncError) -> Refusal:
    return Refusal(error.title, error.detail, error.slug)
