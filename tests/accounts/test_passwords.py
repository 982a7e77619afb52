"""Passwords: what is accepted, and what is kept."""

import pytest
from argon2 import PasswordHasher

from webapp.accounts.passwords import hash_password, is_right, needs_new_hash, weakness


def test_only_the_password_itself_is_right() -> None:
    # given the hash of a password
    kept = hash_password("correct horse battery")
    # then that password is right, others are not, and the hash does not hold it
    assert is_right("correct horse battery", kept)
    assert not is_right("correct horse batterY", kept)
    assert "correct" not in kept


@pytest.mark.parametrize("password", ["", "nobody has this password", "correct horse battery"])
def test_no_password_is_right_for_nobody(password: str) -> None:
    assert not is_right(password, None)


def test_a_broken_hash_lets_nobody_in() -> None:
    assert not is_right("correct horse battery", "not a hash")


def test_a_hash_of_lower_costs_is_to_be_renewed() -> None:
    assert needs_new_hash(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))
    assert not needs_new_hash(hash_password("x"))


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 1001, "at most 1000"),
        ("Admin@Example.org", "e-mail"),
        ("aaaaaaaaaaaa", "different"),
    ],
)
def test_a_weak_password_is_told_why(password: str, words: str) -> None:
    assert words in (weakness(password, "admin@example.org") or "")


def test_a_few_words_are_a_good_password() -> None:
    assert weakness("correct horse battery", "admin@example.org") is None
