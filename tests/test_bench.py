"""The bench's own arithmetic: what it says must follow from what it measured. Nothing is timed here."""

import gzip
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from tools.bench.exports import write_exports
from tools.bench.filling import fill
from tools.bench.imports import (
    CHANGED,
    DECODING,
    FIRST,
    UNCHANGED,
    Reading,
    Readings,
    import_figures,
    import_table,
    import_targets,
    memory_targets,
)
from tools.bench.load import Load
from tools.bench.report import Target, figures, p99_ratio, rate_ratio, table, target_table
from tools.bench.world import INTERESTS, POINTS, Post, Tenant, email, expected_sums, turns, user_id
from webapp.profiles.facts import Sought, find_facts


def load_of(rate: float, p99_ms: float = 1.0, cpu: float | None = None) -> Load:
    return Load(sent=1000, seconds=1000 / rate, p50_ms=0.5, p99_ms=p99_ms, server_cpu=cpu, generator_busy=0.1)


def test_a_ratio_is_taken_within_each_round() -> None:
    # given three rounds, in the second of which the whole machine was slow
    rounds = {
        "ours": [load_of(200, p99_ms=2), load_of(20, p99_ms=40), load_of(200, p99_ms=2)],
        "peer": [load_of(100, p99_ms=4), load_of(10, p99_ms=80), load_of(400, p99_ms=2)],
    }
    # when the two are compared, then the slow round says the same as a quick one
    assert rate_ratio(rounds, "ours", "peer") == pytest.approx(2)
    assert p99_ratio(rounds, "ours", "peer") == pytest.approx(0.5)


def test_figures_are_medians() -> None:
    # given rounds of which one was disturbed, with the server's processor time and without
    found = figures(
        {"ours": [load_of(100, cpu=0.2), load_of(300, cpu=0.4), load_of(1)], "peer": [load_of(100)] * 3}, "peer"
    )
    # then the middle one counts
    assert found["ours"]["requests per second"] == pytest.approx(100)
    assert found["ours"]["CPU us per request"] == pytest.approx(300)
    assert found["peer"]["CPU us per request"] is None
    assert found["ours"]["requests"] == 3000


@pytest.mark.parametrize(
    ("figure", "more_is_better", "verdict"),
    [
        (0.2, True, "not met"),
        (0.3, True, "met"),
        (0.5, True, "met, the aim too"),
        (0.6, False, "not met"),
        (0.5, False, "met"),
        (0.3, False, "met, the aim too"),
    ],
)
def test_a_target_says_on_which_side_it_is(figure: float, more_is_better: bool, verdict: str) -> None:
    bounds = (0.3, 0.5) if more_is_better else (0.5, 0.3)
    assert Target("rate", figure, *bounds, more_is_better=more_is_better).verdict == verdict


def test_the_tables_have_a_line_for_each_server_and_target() -> None:
    # given one round of two servers and a target
    rounds = {"ours": [load_of(200)], "peer": [load_of(100, cpu=0.5)]}
    # when they are printed
    text = table("SQLite", rounds, "peer")
    targets = target_table([Target("cost at many profiles", 1.2, 1.3, 1.1, more_is_better=False)])
    # then each has its figures, and lines of a table are equally long
    assert "2.00" in text
    assert "500" in text
    assert len({len(line) for line in text.splitlines()[1:]}) == 1
    assert "<=1.3" in targets
    assert targets.endswith("met")


def readings_of(rates: dict[str, float]) -> Readings:
    return {case: [Reading(1000, 1000 / rate, 0.1, 50_000_000)] * 3 for case, rate in rates.items()}


def test_an_import_is_held_against_the_bare_decoding_of_its_file() -> None:
    # given imports of which the first reaches its aim, the second only what must be, the third not even that
    readings = readings_of({DECODING: 100_000, FIRST: 12_000, UNCHANGED: 25_000, CHANGED: 19_000})
    # when the targets are looked at
    found = {target.name: target.verdict for target in import_targets("SQLite", readings)}
    # then each says so, and so does the table
    assert list(found.values()) == ["met, the aim too", "met", "not met"]
    assert import_figures(readings)[CHANGED]["CPU us per user"] == pytest.approx(100)
    assert len({len(line) for line in import_table("SQLite", readings).splitlines()[1:]}) == 1


def test_memory_must_neither_be_large_nor_grow() -> None:
    # given a worker that had little, and half as much again for five times as many users
    verdicts = [target.verdict for target in memory_targets({1_000: 100_000_000, 5_000: 150_000_000})]
    assert verdicts == ["met, the aim too", "not met"]


def test_one_user_in_a_hundred_differs_between_the_exports(tmp_path: Path) -> None:
    # given the two files of the import bench
    exports = write_exports(tmp_path, 1_000)
    # when they are compared line by line
    lines = [gzip.decompress(file.read_bytes()).splitlines() for file in (exports.first, exports.changed)]
    # then all users are in both, and ten of them have changed
    assert [len(each) for each in lines] == [1_000, 1_000]
    assert sum(before != after for before, after in zip(*lines, strict=True)) == 10


def test_the_users_of_the_import_bench_are_as_large_as_those_for_which_targets_were_set(tmp_path: Path) -> None:
    # given a file of the import bench
    packed = write_exports(tmp_path, 2_000).first.read_bytes()
    # then a user has about 855 bytes, and about 147 of them packed: less is decoded in less time
    assert len(gzip.decompress(packed)) / 2_000 == pytest.approx(855, rel=0.03)
    assert len(packed) / 2_000 == pytest.approx(147, rel=0.03)


def test_everybody_has_two_tokens_far_apart() -> None:
    # given the order of 1,001 tokens
    order = turns(1001, first_person=500)
    # then nobody's second token comes before the first, or soon after it
    places = {each: place for place, each in enumerate(order)}
    assert len(places) == 1001
    distances = [places[person, 1] - places[person, 0] for person, turn in order if turn == 1]
    assert min(distances) >= 100
    assert min(person for person, _ in order) == 500


def test_a_filled_store_knows_its_people(app: Flask, database_url: str) -> None:
    # given a store filled by SQL, on either database
    issuer = Tenant("http://127.0.0.1:1", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    fill(database_url, issuer, range(1_000_000, 1_000_010))
    # when somebody of them is sought by every way there is
    identifiers = {("email", email(1_000_003)), ("auth0_user_id", user_id(1_000_003))}
    sought = Sought((issuer.issuer, user_id(1_000_003)), frozenset(identifiers))
    with app.extensions["database"].reading() as session:
        facts = find_facts(session, [sought], for_update=False)
    # then all lead to one profile, which has its values
    (profile_id,) = facts.candidates(sought)
    assert set(facts.by_identifier) == identifiers
    assert facts.profiles[profile_id].values["email"] == [email(1_000_003)]
    assert facts.profiles[profile_id].values["points"] == [str(POINTS[0])]


def test_a_token_counts_once_in_the_expected_sums() -> None:
    # given the two tokens of one person, one of them posted twice, and the first one of another
    posts = [Post("", 1, 0), Post("", 1, 1), Post("", 1, 0), Post("", 2, 0)]
    # then each token is in the sums once
    both = set(INTERESTS[0]) | set(INTERESTS[1])
    assert expected_sums(posts) == (2, sum(POINTS) + POINTS[0], len(both) + len(INTERESTS[0]))
