"""What an import goal may be saved with, though it probably does not do what was meant."""

from collections.abc import Collection, Iterator

from snippets.goals import MergeStrategy, Problem
from webapp.connections.import_goals import ImportGoal, ImportMapping
from webapp.profiles.linking import admission

RUNNING_TOTALS = frozenset({"logins_count"})
"""Fields that hold a total, and not what is new since the last import."""


def warnings_of(goal: ImportGoal, identifying: Collection[str]) -> tuple[Problem, ...]:
    """Return what to look at. ``identifying`` are properties by which people are found."""
    return tuple(_warnings(goal, identifying))


def _warnings(goal: ImportGoal, identifying: Collection[str]) -> Iterator[Problem]:
    if not goal.enable_batch:
        yield Problem(("enable_batch",), "Without Batch nobody is imported: webhooks do not import anybody yet.")
    for index, mapping in enumerate(goal.mappings):
        place = ("mappings", index, "auth0_field")
        if mapping.profile_property in identifying and _is_never_stored(goal, mapping):
            message = (
                f"People are found by {mapping.profile_property}, and Auth0 does not vouch for this value: "
                "it is stored for nobody."
            )
            yield Problem(place, message)
        if mapping.strategy is MergeStrategy.SUM and mapping.auth0_field in RUNNING_TOTALS:
            yield Problem(place, "This is a total already: with Sum each import adds all of it again. Use Set.")


def _is_never_stored(goal: ImportGoal, mapping: ImportMapping) -> bool:
    let_in_by = admission(goal.links, mapping.auth0_field, mapping.profile_property)
    return mapping.is_constant or not let_in_by.admits(is_verified=True)
