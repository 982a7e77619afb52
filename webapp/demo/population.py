"""Generated users of the demo tenant: any number of them, each made from its number when it is asked for.

Nothing of them is kept but how many there are, and what happened to them since: rounds of changes and of deletions. So
a million users take no memory, and the same number is the same user every time.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from webapp.demo.generated_users import FIRST_MS, STEP_MS, created_ms, generated_user, number_in, user_id_of

Data = dict[str, Any]

MAX_USERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Round:
    """What happened to one user in ``one_in``: those whose number, divided by it, leaves ``first``.

    A change makes their ``updated_at`` one of the last ``spread_ms`` milliseconds before ``at_ms``. If it ``is_login``,
    nothing but what Auth0 notes at each login is new.
    """

    at_ms: int
    one_in: int
    first: int
    spread_ms: int = 1_000
    is_login: bool = False

    def touches(self, number: int) -> bool:
        """Say if the user with this number is one of them."""
        return number % self.one_in == self.first

    def moment_ms(self, number: int) -> int:
        """Return when it happened to this user."""
        return self.at_ms - (number // self.one_in) % self.spread_ms


@dataclass(frozen=True, slots=True)
class Population:
    """The generated users of one database connection."""

    connection: str
    number: int
    changes: tuple[Round, ...] = ()
    deletions: tuple[Round, ...] = ()

    @classmethod
    def from_json(cls, data: Data) -> "Population":
        """Return what `as_json` wrote."""
        rounds = {name: tuple(Round(**each) for each in data[name]) for name in ("changes", "deletions")}
        return cls(data["connection"], data["number"], **rounds)

    def as_json(self) -> Data:
        """Return it as plain data."""
        return asdict(self)

    def as_of(self, moment_ms: int) -> "Population":
        """Return the users as they were then, as far as rounds go."""
        changes = tuple(each for each in self.changes if each.at_ms <= moment_ms)
        return replace(self, changes=changes, deletions=tuple(e for e in self.deletions if e.at_ms <= moment_ms))

    def has(self, number: int) -> bool:
        """Say if there is a user with this number, who has not been deleted."""
        return 0 <= number < self.number and not any(each.touches(number) for each in self.deletions)

    def numbers(self, since_ms: int | None = None, until_ms: int | None = None) -> Iterator[int]:
        """Yield the numbers of the users, in order; with bounds, of those who were updated between the two."""
        if since_ms is None and until_ms is None:
            yield from (number for number in range(self.number) if self.has(number))
            return
        low = FIRST_MS if since_ms is None else since_ms
        high = FIRST_MS + MAX_USERS * STEP_MS * 10 if until_ms is None else until_ms
        # Whoever was updated then was made then, or is of a round of then.
        first, last = max(0, (low - FIRST_MS) // STEP_MS - 1), min(self.number, (high - FIRST_MS) // STEP_MS + 2)
        candidates = set(range(first, last))
        for each in self.changes:
            if each.at_ms >= low and each.at_ms - each.spread_ms <= high:
                candidates.update(range(each.first, self.number, each.one_in))
        yield from (
            number for number in sorted(candidates) if self.has(number) and low <= self.updated_ms(number) <= high
        )

    def updated_ms(self, number: int) -> int:
        """Return the user's ``updated_at`` in epoch milliseconds."""
        moments = [each.moment_ms(number) for each in self.changes if each.touches(number)]
        return max(moments, default=created_ms(number))

    def user_id(self, number: int) -> str:
        """Return the id of the user with this number."""
        return user_id_of(self.connection, number)

    def number_of(self, user_id: str) -> int | None:
        """Return the number of the user with this id, or None if it is nobody of this population."""
        number = number_in(user_id)
        return number if 0 <= number < self.number and self.user_id(number) == user_id else None

    def user(self, number: int) -> Data:
        """Return the user with this number as the Management API shows them."""
        touched = [each for each in self.changes if each.touches(number)]
        return generated_user(
            self.connection,
            number,
            updated_ms=self.updated_ms(number),
            logins=len(touched) + 1,
            version=sum(not each.is_login for each in touched),
        )


def populations(data: Data) -> list[Population]:
    """Return the tenant's generated users, one entry for each connection that has some."""
    return [Population.from_json(each) for each in data["populations"].values()]


def populate(data: Data, connection: str, number: int) -> None:
    """Give a database connection so many generated users, at most `MAX_USERS`; forget what happened to those before."""
    data["populations"].pop(connection, None)
    if number:
        data["populations"][connection] = Population(connection, min(number, MAX_USERS)).as_json()


def change_users(data: Data, connection: str, one_in: int, at_ms: int, **more: Any) -> None:
    """Change one generated user in ``one_in``, in each round others; ``more`` are the rest of a `Round`."""
    population = Population.from_json(data["populations"][connection])
    change = Round(at_ms, one_in, len(population.changes) % one_in, **more)
    data["populations"][connection] = replace(population, changes=(*population.changes, change)).as_json()


def delete_users(data: Data, connection: str, one_in: int, at_ms: int) -> None:
    """Delete one generated user in ``one_in``, in each round others."""
    population = Population.from_json(data["populations"][connection])
    deletion = Round(at_ms, one_in, (one_in - 1 - len(population.deletions)) % one_in)
    data["populations"][connection] = replace(population, deletions=(*population.deletions, deletion)).as_json()
