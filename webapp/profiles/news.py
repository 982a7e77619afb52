"""News: what rules come to for a profile, given how new they are and what its person consented to. Decided on facts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from snippets.consent import ConsentRule
from snippets.goals import MergeStrategy
from webapp.profiles.consent import (
    CONSENT_PROPERTIES,
    SaidConsent,
    Values,
    consent_rules,
    may_process,
    without_older_news,
)
from webapp.profiles.facts import StoredProfile
from webapp.profiles.merging import MergeResult, Rule, merge
from webapp.profiles.writing import ProfileChange, changed_profile, stored_properties

_OVERWRITING = frozenset({MergeStrategy.SET, MergeStrategy.SET_OR_CLEAR})


def sort_out_older_news(
    rules: Sequence[Rule], told_at: Mapping[str, int], issued_at: int
) -> tuple[list[Rule], list[str]]:
    """Return the rules to apply, and the properties of which something newer is known.

    ``issued_at`` is how new the rules are, ``told_at`` how new what is known (Unix seconds). News may arrive in another
    order than it came up in: a browser that was offline posts its token late, an export is older than a login.
    """
    late = [rule for rule in rules if told_at.get(rule.property_id, 0) > issued_at and overwrites(rule)]
    if not late:
        return list(rules), []
    return [rule for rule in rules if rule not in late], list(dict.fromkeys(rule.property_id for rule in late))


def overwrites(rule: Rule) -> bool:
    """Say if nothing is left of what was there before."""
    return rule.strategy in _OVERWRITING and (bool(rule.values) or rule.strategy is MergeStrategy.SET_OR_CLEAR)


def told_by(rules: Iterable[Rule], issued_at: int) -> dict[str, int]:
    """Return how new the news is of what ``rules`` set or clear."""
    return {rule.property_id: issued_at for rule in rules if overwrites(rule)}


def merge_with_consent(
    rules: Sequence[Rule],
    before: Values,
    told_at: Mapping[str, int],
    issued_at: int,
    *,
    consent: ConsentRule | None,
    said: SaidConsent | None = None,
) -> MergeResult | None:
    """Return what the rules and the visitor's word about objectives come to; None if the goal may not process that.

    A profile is judged on the values that it would have: so a new one on those of the same post. Where a newer answer
    is known, both it and the visitor's word have to allow it.
    """
    merged = merge(before, rules)
    if consent is None and CONSENT_PROPERTIES.isdisjoint(merged.changed):
        return merged
    mapped = {**before, **merged.changed}
    for word in (said, without_older_news(said, told_at, issued_at)):
        merged = merge(before, [*rules, *consent_rules(consent, before, mapped, word)])
        if not may_process(consent, {**before, **merged.changed}):
            return None
    return merged


def profile_change(
    before: StoredProfile | None,
    profile_id: str,
    changed: Mapping[str, list[str]],
    told_at: Mapping[str, int],
    *,
    source: str,
    now: datetime,
) -> ProfileChange | None:
    """Return what is to be stored, or None if the profile stays as it is. ``source`` is shown beside the values.

    Without ``before`` the profile is new.
    """
    if before is None:
        properties = stored_properties(changed, source=source, now=now)
        return ProfileChange(None, StoredProfile(profile_id, now, properties, told_at), changed)
    after = changed_profile(before, changed, source=source, now=now)
    # Though no value differs, the news is newer: what is older must not overwrite it from now on.
    after = after._replace(told_at={**before.told_at, **told_at})
    return None if after == before else ProfileChange(before, after, changed)
