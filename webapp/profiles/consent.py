"""Consent: whether a connection may process a profile, and what becomes of the visitor's word. Decided on plain data.

Source: BlueConic, "Add consent Objectives to objects" and "Storing consent" (fact sheet, 6.1 to 6.3).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from snippets.consent import NO_ZONE, ConsentRule
from snippets.goals import MergeStrategy
from webapp.profiles.merging import Rule

CONSENTED = "consented_objectives"
REFUSED = "refused_objectives"
LEGISLATION = "privacy_legislation"

CONSENT_PROPERTIES = frozenset({CONSENTED, REFUSED, LEGISLATION})

Values = Mapping[str, Sequence[str]]
"""The values of a profile's properties."""


@dataclass(frozen=True, slots=True)
class ObjectiveTerms:
    """An objective as far as consent goes. ``zones`` are those in which it needs consent: none if it never does."""

    id: str
    zones: frozenset[str]


@dataclass(frozen=True, slots=True)
class SaidConsent:
    """What a visitor says of objectives. ``legislation`` is None where the visitor's zone is not told."""

    consented: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    legislation: str | None = None


def consent_rule(linked: Sequence[ObjectiveTerms], opt_out_zones: Collection[str]) -> ConsentRule | None:
    """Return what the objectives of a connection come to, or None if no visitor's consent is needed.

    Consent is needed only where each of the objectives needs it: one that does without is reason enough to process.
    """
    if not linked:
        return None
    zones = frozenset.intersection(*(objective.zones for objective in linked))
    if not zones:
        return None
    return ConsentRule(
        tuple(sorted(objective.id for objective in linked)),
        opt_in=tuple(sorted(zones.difference(opt_out_zones))),
        opt_out=tuple(sorted(zones.intersection(opt_out_zones))),
    )


def answer_to(rule: ConsentRule | None, said: SaidConsent | None) -> SaidConsent | None:
    """Return what the visitor ``said`` of the rule's objectives; None if that is nothing."""
    if rule is None or said is None:
        return None
    consented, refused = _asked_for(rule, said)
    return SaidConsent(consented, refused, said.legislation) if consented or refused else None


def without_older_news(said: SaidConsent | None, told_at: Mapping[str, int], issued_at: int) -> SaidConsent | None:
    """Return what of a word of that moment stands; ``told_at`` has the moments of the newest news (Unix seconds).

    The two lists stand or fall together, since an answer moves an objective from one to the other.
    """
    if said is None:
        return None
    if any(told_at.get(name, 0) > issued_at for name in (CONSENTED, REFUSED)):
        said = replace(said, consented=(), refused=())
    return replace(said, legislation=None) if told_at.get(LEGISLATION, 0) > issued_at else said


def spoken_of(rule: ConsentRule | None, said: SaidConsent | None) -> frozenset[str]:
    """Return the properties of which this word brings news, though they may stay as they are."""
    if rule is None or said is None:
        return frozenset()
    lists = {CONSENTED, REFUSED} if answer_to(rule, said) else set()
    return frozenset(lists | ({LEGISLATION} if said.legislation else set()))


def may_process(rule: ConsentRule | None, values: Values) -> bool:
    """Say if a connection with this rule may read and write a profile that has these values."""
    if rule is None:
        return True
    zone = zone_of(values)
    if zone in rule.opt_in:
        return not set(rule.objectives).isdisjoint(values.get(CONSENTED, ()))
    if zone in rule.opt_out:
        return set(rule.objectives).isdisjoint(values.get(REFUSED, ()))
    return True


def zone_of(values: Values) -> str:
    """Return a profile's legislation zone; the rest of the world for one that has none."""
    return next((zone for zone in values.get(LEGISLATION, ()) if zone), NO_ZONE)


def consent_rules(rule: ConsentRule | None, before: Values, after: Values, said: SaidConsent | None) -> list[Rule]:
    """Return what is still to be written to a profile's consent, once mappings brought it from ``before`` to ``after``.

    What the visitor ``said`` counts last, and only of the rule's objectives: of others nobody asked. Without a rule
    nobody asked at all.
    """
    lists = _Lists(tuple(after.get(CONSENTED, ())), tuple(after.get(REFUSED, ())))
    mapped_consents = [each for each in lists.consented if each not in before.get(CONSENTED, ())]
    mapped_refusals = [each for each in lists.refused if each not in before.get(REFUSED, ())]
    lists = lists.with_answers(mapped_consents, mapped_refusals)
    rules = []
    if rule is not None and said is not None:
        lists = lists.with_answers(*_asked_for(rule, said))
        if said.legislation:
            rules.append(Rule(LEGISLATION, [said.legislation], MergeStrategy.SET))
    for name, ids in ((CONSENTED, lists.consented), (REFUSED, lists.refused)):
        if list(ids) != list(after.get(name, ())):
            rules.append(Rule(name, ids, MergeStrategy.SET_OR_CLEAR))
    return rules


def _asked_for(rule: ConsentRule, said: SaidConsent) -> tuple[tuple[str, ...], tuple[str, ...]]:
    consented, refused = (
        tuple(each for each in ids if each in rule.objectives) for ids in (said.consented, said.refused)
    )
    return consented, refused


@dataclass(frozen=True, slots=True)
class _Lists:
    consented: tuple[str, ...]
    refused: tuple[str, ...]

    def with_answers(self, consents: Sequence[str], refusals: Sequence[str]) -> "_Lists":
        """Return the lists after these answers: they have nothing in common, and a refusal is stronger."""
        if not consents and not refusals:
            return self
        kept = [each for each in self.refused if each in refusals or each not in consents]
        refused = dict.fromkeys([*kept, *refusals])
        consented = dict.fromkeys(each for each in (*self.consented, *consents) if each not in refused)
        return _Lists(tuple(consented), tuple(refused))
