"""What an Action or a Rule does at a login: the values it keeps and the claims it adds (the templates only word it)."""

from dataclasses import dataclass

from snippets.claims import added_claims
from snippets.exchange import AnsweredWrite, answered_writes
from snippets.fields import FieldPath, parse_field, source_of
from snippets.goals import MergeStrategy, WebGoal
from snippets.literals import JsCode
from snippets.parameters import parameter_name

MERGE_FUNCTIONS = {
    MergeStrategy.SET: JsCode("set"),
    MergeStrategy.SET_IF_EMPTY: JsCode("setIfEmpty"),
    MergeStrategy.ADD: JsCode("add"),
}
"""The functions of templates/metadata.js.jinja. A goal never writes to Auth0 with another strategy."""


@dataclass(frozen=True, slots=True)
class MetadataWrite:
    """One value that the login brought and its place: ``path`` starts below ``user_metadata``."""

    parameter: str
    path: FieldPath
    merge: JsCode


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """One claim and where the Action (in ``event``) and the Rule (in ``{user, context}``) find its value."""

    name: str
    action_path: FieldPath
    rule_path: FieldPath
    null_if_missing: bool


@dataclass(frozen=True, slots=True)
class Login:
    """Everything that happens at one login of a goal."""

    writes: tuple[MetadataWrite, ...]
    profile_id_path: FieldPath | None
    claims: tuple[ClaimSource, ...]
    answered: tuple[AnsweredWrite, ...] = ()

    @property
    def is_writing(self) -> bool:
        """Say if a login may change ``user_metadata``."""
        return bool(self.writes) or self.profile_id_path is not None

    @property
    def app_root_keys(self) -> tuple[str, ...]:
        """The keys of ``app_metadata`` that may change, each once."""
        return tuple(dict.fromkeys(write.path[0] for write in self.answered if write.root == "app_metadata"))

    @property
    def is_adding_found_values(self) -> bool:
        """Say if there is a claim that is left out when its field is missing."""
        return any(not claim.null_if_missing for claim in self.claims)

    @property
    def root_keys(self) -> tuple[str, ...]:
        """The keys of ``user_metadata`` that may change, each once. Auth0 replaces a root key as a whole."""
        paths = [write.path for write in self.writes]
        if self.profile_id_path is not None:
            paths.insert(0, self.profile_id_path)
        return tuple(dict.fromkeys(path[0] for path in paths))

    @property
    def merges(self) -> frozenset[JsCode]:
        """The merge functions that the code needs."""
        needed = {write.merge for write in self.writes}
        needed |= {MERGE_FUNCTIONS[write.mapping.strategy] for write in self.answered}
        if self.profile_id_path is not None:
            needed.add(MERGE_FUNCTIONS[MergeStrategy.SET])
        return frozenset(needed)


def plan_login(goal: WebGoal, *, is_exchange: bool = False) -> Login:
    """Return what a login of ``goal`` has to do, and nothing that no mapping or link asks for.

    With ``is_exchange`` it also writes what Websync answers.
    """
    return Login(
        writes=tuple(
            MetadataWrite(
                parameter_name(mapping.profile_property),
                parse_field(mapping.auth0_field)[1:],
                MERGE_FUNCTIONS[mapping.strategy],
            )
            for mapping in goal.mappings
            if mapping.is_by_browser
        ),
        profile_id_path=_profile_id_path(goal),
        answered=answered_writes(goal) if is_exchange else (),
        claims=tuple(
            ClaimSource(
                claim.name,
                source_of(claim.auth0_field).action,
                source_of(claim.auth0_field).rule,
                claim.null_if_missing,
            )
            for claim in added_claims(goal)
        ),
    )


def _profile_id_path(goal: WebGoal) -> FieldPath | None:
    """Return where ``user_metadata`` keeps the profile id, or None."""
    return None if goal.profile_id_link is None else parse_field(goal.profile_id_link.auth0_field)[1:]
