"""Sync: verified tokens become changes of profiles, many in one transaction, each of them once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from flask import current_app
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.connections.goals import LiveGoal
from webapp.connections.live_goals import forget_live_goal, live_goal
from webapp.errors import WebsyncError
from webapp.group_commit import GroupCommit
from webapp.profiles.consent import SaidConsent
from webapp.profiles.definitions import Definitions, hold_definitions
from webapp.profiles.embedded import lock_identifiers
from webapp.profiles.facts import Facts, Identity, Sought
from webapp.profiles.linking import identifiers_to_lock, is_open
from webapp.profiles.rounds import in_rounds
from webapp.profiles.store import ProfileState
from webapp.profiles.writing import ProfileChange, link_identities, store_profiles
from webapp.rows import together
from webapp.tokens.planning import Outcome, Visit, change_of, plan_answer, plan_sync, properties_of, visit_of
from webapp.tokens.receipts import MARGIN, Receipt, ask_receipts, keep_longer, keep_receipts, sweep_sometimes
from webapp.tokens.verification import VerifiedClaims


class Post(NamedTuple):
    """A verified token, or an authenticated call, that is applied once. ``digest`` is what it is remembered by.

    ``profile_hint`` is the browser's word: used only if that profile is unlinked or linked to the same ``sub``.
    ``said_consent`` is the visitor's own word about objectives.
    """

    goal: LiveGoal
    claims: VerifiedClaims
    digest: bytes
    profile_hint: str | None
    now: datetime
    said_consent: SaidConsent | None = None

    def visit(self, definitions: Definitions) -> Visit:
        """Return the visit of which the post tells."""
        goal, hint, said = self.goal.web_goal, self.profile_hint, self.said_consent
        return visit_of(goal, self.claims, definitions, profile_hint=hint, said_consent=said)

    @property
    def keep_until(self) -> datetime:
        """How long its receipt is needed: as long as it might be posted again."""
        return self.claims.expires_at + MARGIN


class Applied(NamedTuple):
    """What became of a post. ``stored`` has the values that the visitor's profile has now."""

    outcome: Outcome
    stored: dict[str, list[str]]


PostCommit = GroupCommit[Post, Applied]


def sync_visitor(post: Post) -> Applied:
    """Write the mapped claims of ``post`` to the visitor's profile, once; return when that is committed.

    Raises:
        IdentityConflictError: an unproven link points at someone else's profile.
        NotFoundError: the goal was deleted meanwhile.
    """
    commit: PostCommit = current_app.extensions["post_commit"]
    try:
        return commit.submit(post)
    except IntegrityError:
        return commit.submit(post._replace(goal=look_anew(post.goal)))


def look_anew(goal: LiveGoal) -> LiveGoal:
    """Return a goal as it is now: what was known of it may be a second old. Raises NotFoundError."""
    key = goal.web_goal.key
    forget_live_goal(key)
    return live_goal(key)


def apply_posts(session: Session, posts: Sequence[Post]) -> list[Applied | WebsyncError]:
    """Apply ``posts`` as if one after the other: what came of each, or why it was refused.

    Statements serve all posts together, in rounds where that needs it (`webapp.profiles.rounds`).
    """
    definitions = hold_definitions(session, set().union(*(properties_of(post.goal.web_goal) for post in posts)))
    visits = [post.visit(definitions) for post in posts]
    with together(session):
        lock_identifiers(session, set().union(*(identifiers_to_lock(visit.sought) for visit in visits)))
        # Who else brings one of these posts waits for the locks: a receipt is here by now, or this is the first.
        receipts = ask_receipts(session, {(post.goal.id, post.digest) for post in posts})
    ledger = _Ledger(session, posts, visits, definitions, receipts())
    for each in in_rounds(session, range(len(posts)), ledger.sought):
        ledger.apply_round(each.facts, each.numbers)
    sweep_sometimes(session, [post.digest for post in posts], now=posts[0].now)
    return [ledger.applied[number] for number in range(len(posts))]


@dataclass(slots=True)
class _Ledger:
    """The posts of one transaction by their numbers, and what has become of them so far."""

    session: Session
    posts: Sequence[Post]
    visits: Sequence[Visit]
    definitions: Definitions
    receipts: dict[tuple[int, bytes], Receipt]
    applied: dict[int, Applied | WebsyncError] = field(default_factory=dict)

    def apply_round(self, facts: Facts, numbers: Sequence[int]) -> None:
        """Apply posts that have nothing to do with each other."""
        changes: list[ProfileChange] = []
        identities: dict[Identity, str] = {}
        receipts: list[Receipt] = []
        for number in numbers:
            try:
                change = self._apply(number, facts, identities, receipts)
            except WebsyncError as error:
                self.applied[number] = error
            else:
                changes += [change] if change is not None else []
        with together(self.session):
            store_profiles(self.session, changes, self.definitions.identifying)
            link_identities(self.session, identities)
            keep_receipts(self.session, receipts)

    def sought(self, number: int) -> Sought:
        """Return what may lead to the profile of a post's visitor, or has led there before."""
        post, sought = self.posts[number], self.visits[number].sought
        receipt = self.receipts.get((post.goal.id, post.digest))
        if receipt is None or receipt.outcome.profile_id is None:
            return sought
        return sought._replace(profile_ids=sought.profile_ids | {receipt.outcome.profile_id})

    def _apply(
        self, number: int, facts: Facts, identities: dict[Identity, str], receipts: list[Receipt]
    ) -> ProfileChange | None:
        post, visit = self.posts[number], self.visits[number]
        receipt = self.receipts.get((post.goal.id, post.digest))
        if receipt is not None:
            return self._apply_again(number, receipt, facts)
        plan = plan_sync(visit, facts, self.definitions)
        outcome, identity = plan.outcome, visit.sought.identity
        if outcome.profile_id is not None and facts.by_identity.get(identity) != outcome.profile_id:
            identities[identity] = outcome.profile_id
        if outcome.state is not ProfileState.CONSENT_MISMATCH:  # else it may come again, once consent is given
            receipt = Receipt(post.goal.id, post.digest, outcome, post.keep_until)
            self.receipts[post.goal.id, post.digest] = receipt
            receipts.append(receipt)
        stored = {name: values for name, values in {**plan.before, **plan.changed}.items() if values}
        self.applied[number] = Applied(outcome, stored)
        return change_of(plan, source=_source(visit), now=post.now)

    def _apply_again(self, number: int, receipt: Receipt, facts: Facts) -> ProfileChange | None:
        post, visit = self.posts[number], self.visits[number]
        if receipt.keep_until < post.keep_until:
            keep_longer(self.session, receipt, keep_until=post.keep_until)
        earlier, hint = receipt.outcome, visit.profile_hint
        # The Action may have told of this login before the browser knew its profile.
        is_other = hint not in {None, earlier.profile_id}
        outcome = earlier._replace(switch_profile=is_other and not is_open(facts, visit.sought.identity, hint))
        # An admin may have moved it to somebody else since.
        is_theirs = is_open(facts, visit.sought.identity, earlier.profile_id)
        profile = facts.profiles.get(earlier.profile_id or "") if is_theirs else None
        plan = plan_answer(visit, facts, outcome)
        if plan is None:
            self.applied[number] = Applied(outcome, profile.values if profile else {})
            return None
        stored = {name: values for name, values in {**plan.before, **plan.changed}.items() if values}
        self.applied[number] = Applied(plan.outcome, stored)
        if plan.linked.profile is None:  # it was deleted: no answer brings it back
            return None
        return change_of(plan, source=_source(visit), now=post.now)


def _source(visit: Visit) -> str:
    return f"Web goal {visit.goal.name}"
