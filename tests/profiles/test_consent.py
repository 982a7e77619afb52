from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.consent import ConsentRule
from snippets.goals import MergeStrategy
from webapp.profiles.consent import (
    CONSENTED,
    LEGISLATION,
    REFUSED,
    ObjectiveTerms,
    SaidConsent,
    consent_rule,
    consent_rules,
    may_process,
)
from webapp.profiles.merging import Rule, merge

IDS = ("marketing", "statistics", "advice")
ZONES = ("NONE", "GDPR", "UK_GDPR", "CCPA")
Objectives = Sequence[tuple[str, bool, frozenset[str]]]


def decide(
    objectives: Objectives, opt_out: frozenset[str], zone: str, consented: Sequence[str], refused: Sequence[str]
) -> bool:
    """The fact sheet's decision (6.3), line by line."""
    zone = zone or "NONE"
    needed = [name for name, needs_consent, legislations in objectives if needs_consent and zone in legislations]
    if not objectives or len(needed) < len(objectives):
        return True
    if zone in opt_out:
        return not any(name in refused for name in needed)
    return any(name in consented for name in needed)


def terms(objectives: Objectives) -> list[ObjectiveTerms]:
    return [ObjectiveTerms(name, zones if needs_consent else frozenset()) for name, needs_consent, zones in objectives]


def profile(zone: str = "", consented: Sequence[str] = (), refused: Sequence[str] = ()) -> dict[str, list[str]]:
    values = {LEGISLATION: [zone] if zone else [], CONSENTED: list(consented), REFUSED: list(refused)}
    return {name: found for name, found in values.items() if found}


some_ids = st.lists(st.sampled_from(IDS), unique=True)
some_zones = st.frozensets(st.sampled_from(ZONES))
some_objectives = st.lists(
    st.tuples(st.sampled_from(IDS), st.booleans(), some_zones), unique_by=lambda each: each[0], max_size=3
)
some_profiles = st.builds(profile, st.sampled_from(("", *ZONES, "LATER_LAW")), some_ids, some_ids)
some_answers = st.builds(
    lambda consented, refused, zone: SaidConsent(tuple(consented), tuple(refused), zone),
    some_ids,
    some_ids,
    st.sampled_from((None, *ZONES)),
)
EU = frozenset({"GDPR", "UK_GDPR"})


@pytest.mark.parametrize(
    ("objectives", "stored", "is_processed"),
    [
        pytest.param([], profile("GDPR"), True, id="no objectives"),
        pytest.param([("marketing", True, EU)], profile("GDPR"), False, id="opt-in, nothing said"),
        pytest.param([("marketing", True, EU)], profile("GDPR", ["marketing"]), True, id="opt-in, consented"),
        pytest.param(
            [("marketing", True, EU)], profile("GDPR", ["statistics"]), False, id="opt-in, consented to another"
        ),
        pytest.param([("marketing", True, EU)], profile("GDPR", (), ["marketing"]), False, id="opt-in, refused"),
        pytest.param(
            [("marketing", True, EU), ("statistics", True, EU)],
            profile("GDPR", ["statistics"], ["marketing"]),
            True,
            id="opt-in, one of two is enough",
        ),
        pytest.param([("marketing", True, EU)], profile("CCPA"), True, id="a zone that needs no consent"),
        pytest.param([("marketing", True, EU)], profile(), True, id="no zone counts as the rest of the world"),
        pytest.param([("marketing", True, frozenset({"NONE"}))], profile(), False, id="which may need consent too"),
        pytest.param([("marketing", True, frozenset({"NONE"}))], profile("NONE", ["marketing"]), True, id="and get it"),
        pytest.param([("marketing", False, EU)], profile("GDPR"), True, id="an objective without consent"),
        pytest.param(
            [("marketing", True, EU), ("service", False, EU)], profile("GDPR"), True, id="one that needs none"
        ),
        pytest.param([("marketing", True, frozenset({"CCPA"}))], profile("CCPA"), True, id="opt-out, nothing said"),
        pytest.param(
            [("marketing", True, frozenset({"CCPA"}))], profile("CCPA", (), ["marketing"]), False, id="opt-out, refused"
        ),
        pytest.param(
            [("marketing", True, frozenset({"CCPA"})), ("statistics", True, frozenset({"CCPA"}))],
            profile("CCPA", ["statistics"], ["marketing"]),
            False,
            id="opt-out, one refusal is enough",
        ),
        pytest.param([("marketing", True, EU)], profile("LATER_LAW"), True, id="a zone that nobody knows"),
    ],
)
def test_consent_is_judged_as_the_fact_sheet_says(
    objectives: Objectives, stored: dict[str, list[str]], *, is_processed: bool
) -> None:
    # given a connection with these objectives, and California as the one zone with opt-out
    rule = consent_rule(terms(objectives), {"CCPA"})
    # when a profile is judged, then it may be processed or not
    assert may_process(rule, stored) is is_processed


@given(objectives=some_objectives, opt_out=some_zones, stored=some_profiles)
def test_the_short_rule_says_what_the_long_one_does(
    objectives: Objectives, opt_out: frozenset[str], stored: dict[str, list[str]]
) -> None:
    # given any objectives, modes of zones, and profile
    rule = consent_rule(terms(objectives), opt_out)
    # when both the fact sheet's lines and the rule judge it
    zone = next(iter(stored.get(LEGISLATION, [])), "")
    expected = decide(objectives, opt_out, zone, stored.get(CONSENTED, []), stored.get(REFUSED, []))
    # then they agree
    assert may_process(rule, stored) is expected


@given(objectives=some_objectives, opt_out=some_zones)
def test_a_rule_does_not_depend_on_the_order_of_the_objectives(objectives: Objectives, opt_out: frozenset[str]) -> None:
    assert consent_rule(terms(objectives), opt_out) == consent_rule(terms(objectives)[::-1], opt_out)


def after_answers(
    before: dict[str, list[str]], rules: Sequence[Rule], rule: ConsentRule | None, said: SaidConsent | None
) -> dict[str, list[str]]:
    mapped = {**before, **merge(before, rules).changed}
    return {**mapped, **merge(mapped, consent_rules(rule, before, mapped, said)).changed}


@given(stored=some_profiles, said=st.lists(some_answers, min_size=1, max_size=4))
def test_after_an_answer_nothing_is_both_consented_and_refused(
    stored: dict[str, list[str]], said: list[SaidConsent]
) -> None:
    # given a profile whose lists have nothing in common, as each answer leaves them
    values = stored | {CONSENTED: [each for each in stored.get(CONSENTED, []) if each not in stored.get(REFUSED, [])]}
    rule = ConsentRule(IDS, opt_in=("GDPR",))
    for each in said:
        # when a visitor answers, again and again
        values = after_answers(values, [], rule, each)
        # then the last answer stands, a refusal before a consent, and the lists have nothing in common
        assert set(each.refused) <= set(values.get(REFUSED, []))
        assert set(each.consented) - set(each.refused) <= set(values.get(CONSENTED, []))
        assert set(values.get(CONSENTED, [])).isdisjoint(values.get(REFUSED, []))
        # and a visitor who says the same again changes nothing
        assert after_answers(values, [], rule, each) == values


@pytest.mark.parametrize("strategy", [MergeStrategy.ADD, MergeStrategy.SET])
def test_a_mapped_refusal_takes_the_consent_away(strategy: MergeStrategy) -> None:
    # given a profile that consented, and a goal that maps a field to the refused objectives on purpose
    before = profile("GDPR", ["marketing", "statistics"])
    refusal = Rule(REFUSED, ["marketing"], strategy)
    # when the field says so
    after = after_answers(before, [refusal], None, None)
    # then the consent is gone
    assert after == profile("GDPR", ["statistics"], ["marketing"])


def test_the_visitors_word_comes_after_mapped_fields() -> None:
    # given a mapped field that consents
    mapped = Rule(CONSENTED, ["marketing"], MergeStrategy.ADD)
    rule = ConsentRule(("marketing",), opt_in=("GDPR",))
    # when the visitor refuses
    after = after_answers({}, [mapped], rule, SaidConsent(refused=("marketing",), legislation="GDPR"))
    # then that counts
    assert after == {CONSENTED: [], REFUSED: ["marketing"], LEGISLATION: ["GDPR"]}


@pytest.mark.parametrize("rule", [None, ConsentRule(("marketing",), opt_in=("GDPR",))])
def test_answers_that_nobody_asked_for_are_not_stored(rule: ConsentRule | None) -> None:
    # given a goal that asks for other objectives, or for none
    # when a visitor speaks of one
    rules = consent_rules(rule, {}, {}, SaidConsent(consented=("a-flood-of-words",)))
    # then nothing is written
    assert rules == []


@pytest.mark.parametrize(
    ("objectives", "opt_in", "opt_out"),
    [((), ("GDPR",), ()), (("a b",), ("GDPR",), ()), (("marketing",), (), ()), (("marketing",), ("gdpr",), ())],
)
def test_a_rule_that_cannot_be_is_refused(
    objectives: tuple[str, ...], opt_in: tuple[str, ...], opt_out: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="A rule has"):
        ConsentRule(objectives, opt_in, opt_out)
