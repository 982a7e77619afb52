"""Notes: what there is to say of single mappings after a trial, each by the number of its row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snippets.claims import claim_name, standard_claim
from snippets.fields import source_of
from snippets.goals import Direction, Mapping, MergeStrategy, WebGoal
from snippets.parameters import MAX_VALUE_LENGTH, encode_values
from webapp.tokens.planning import Plan
from webapp.trying.logins import LoginKind, TriedLogin
from webapp.trying.running import Run
from webapp.trying.sample import value_at

Places = Sequence[tuple[int, Mapping]]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know of a mapping. ``position`` counts from 0; without ``is_problem`` nothing is wrong."""

    position: int
    mapping: Mapping
    text: str
    is_problem: bool = True


def notes_to_auth0(goal: WebGoal, login: TriedLogin, done: Run) -> Iterator[Note]:
    """Yield what became of the values that travel to Auth0."""
    if login.kind is LoginKind.WITHOUT_VALUES or done.failure is not None:
        return
    before = {"user_metadata": login.user.get("user_metadata"), "app_metadata": login.user.get("app_metadata")}
    after = {"user_metadata": done.user_metadata, "app_metadata": done.app_metadata}
    for position, mapping in _places(goal, Direction.TO_AUTH0):
        texts = login.values.get(mapping.profile_property, ()) if mapping.is_by_browser else ()
        path = source_of(mapping.auth0_field).action[1:]
        if any(texts) and encode_values(texts) is None:
            yield Note(position, mapping, f"longer than {MAX_VALUE_LENGTH} characters when encoded: not sent")
        elif value_at(before, path) == value_at(after, path):
            yield Note(position, mapping, _why_unchanged(mapping, done, is_sent=any(texts)), is_problem=False)


def _why_unchanged(mapping: Mapping, done: Run, *, is_sent: bool) -> str:
    if is_sent:
        return "changes nothing in Auth0"
    if done.exchanges:
        return "Websync answered no other value, so nothing is written"
    if mapping.is_by_browser:
        return "the browser has no value, so nothing is written"
    return "Websync was not called, so nothing is written"


def notes_to_profile(goal: WebGoal, login: TriedLogin, plan: Plan) -> Iterator[Note]:
    """Yield what keeps rows from changing the profile: values that do not fit, and claims that are missing."""
    readings = zip(_places(goal, Direction.TO_PROFILE), plan.readings, strict=True)
    for (position, mapping), reading in readings:
        for reason in reading.problems:
            yield Note(position, mapping, reason)
        if reading.is_missing:
            yield _missing(goal, login, position, mapping)
        if reading.rule is not None and mapping.strategy is MergeStrategy.SUM:
            for reason in plan.merge_problems.get(mapping.profile_property, ()):
                yield Note(position, mapping, reason)


def _missing(goal: WebGoal, login: TriedLogin, position: int, mapping: Mapping) -> Note:
    field, claim = mapping.auth0_field, claim_name(goal, mapping.auth0_field)
    if value_at(login.as_event(), source_of(field).action) is None:
        text = f"the login has no {field}, so the token has no claim for it and nothing changes"
        return Note(position, mapping, text, is_problem=False)
    if claim == standard_claim(goal.token_kind, field):
        return Note(position, mapping, f"the token has no {claim}: the login does not ask for the scope that gives it")
    return Note(position, mapping, f"the token has no claim {claim}: the code did not set it")


def _places(goal: WebGoal, direction: Direction) -> Places:
    return [(position, mapping) for position, mapping in enumerate(goal.mappings) if mapping.direction is direction]
