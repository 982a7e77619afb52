"""The users of the demo tenant, kept ones and generated ones alike: looked up, searched, sorted."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from webapp.demo.generated_users import stamp_of
from webapp.demo.population import Population, populations
from webapp.demo.user_queries import Term, values_at

Data = dict[str, Any]
Found = tuple[Population, int] | Data
"""A generated user, by number, or a kept one."""


@dataclass(frozen=True, slots=True)
class Users(Sequence[Data]):
    """Users that were found, in order; each is made only when it is looked at."""

    found: list[Found]

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, place: int) -> Data: ...
    @overload
    def __getitem__(self, place: slice) -> list[Data]: ...
    def __getitem__(self, place: int | slice) -> Data | list[Data]:
        if isinstance(place, slice):
            return [_user(each) for each in self.found[place]]
        return _user(self.found[place])


def _user(found: Found) -> Data:
    return found if isinstance(found, dict) else found[0].user(found[1])


def find_user(data: Data, user_id: str) -> Data | None:
    """Return the user with this id, or None."""
    kept: Data | None = data["users"].get(user_id)
    if kept is not None:
        return kept
    for population in populations(data):
        number = population.number_of(user_id)
        if number is not None and population.has(number):
            return population.user(number)
    return None


def users_by_email(data: Data, email: str) -> list[Data]:
    """Return the users with exactly this address. A generated one's has the user's number in it."""
    kept = [user for user in data["users"].values() if user.get("email") == email]
    match = re.match(r"user\.(\d{1,9})@", email)
    if match is None:
        return kept
    number = int(match[1])
    generated = [each.user(number) for each in populations(data) if each.has(number)]
    known = data["users"]
    return kept + [user for user in generated if user["email"] == email and user["user_id"] not in known]


def search(data: Data, terms: Sequence[Term], sort: str, as_of_ms: int) -> Users:
    """Return the users who match all ``terms``, in the order of ``sort`` (``field:1`` or ``field:-1``, or nothing).

    Of generated users only what has happened until ``as_of_ms`` is known.
    """
    found: list[Found] = [user for user in data["users"].values() if all(term.matches(user) for term in terms)]
    for population in populations(data):
        found += _search_population(data, population.as_of(as_of_ms), terms)
    if sort:
        field, direction = sort.rsplit(":", 1)
        found.sort(key=lambda each: _sort_key(each, field), reverse=direction == "-1")
    return Users(found)


def _search_population(data: Data, population: Population, terms: Sequence[Term]) -> Iterator[Found]:
    lows = [term.low for term in terms if term.field == "updated_at" and term.low is not None]
    highs = [term.high for term in terms if term.field == "updated_at" and term.high is not None]
    rest = [term for term in terms if term.field not in {"updated_at", "identities.connection"} or _is_rare(term)]
    connections = {term.text for term in terms if term.field == "identities.connection"} - {None}
    if connections - {population.connection}:
        return
    replaced = {population.number_of(user_id) for user_id in data["users"]}
    bounds = (int(max(lows)) if lows else None, int(min(highs)) if highs else None)
    for number in population.numbers(*bounds):
        if number not in replaced and (not rest or all(term.matches(population.user(number)) for term in rest)):
            yield population, number


def _is_rare(term: Term) -> bool:
    """Say if the term on one of the two fields that are looked up asks something else of it."""
    return term.text is not None if term.field == "updated_at" else term.text is None


def _sort_key(found: Found, field: str) -> tuple[str, str]:
    if field == "updated_at" and not isinstance(found, dict):
        population, number = found
        return stamp_of(population.updated_ms(number)), population.user_id(number)
    user = _user(found)
    value = next(iter(values_at(user, field.split("."))), "")
    return f"{value:020}" if isinstance(value, int) else str(value), user["user_id"]
