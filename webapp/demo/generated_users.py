"""One generated user of the demo tenant, as large and as various as real ones are in an export."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Data = dict[str, Any]

FIRST_MS = 1_577_836_800_000
"""2020-01-01: when the first user was made, in epoch milliseconds. One more followed in each minute."""
STEP_MS = 60_000
GIVEN_NAMES = (
    *("Ada", "Bram", "Chidi", "Dana", "Elif", "Femi", "Gwen", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Zoë"),
    *("Amara", "Björn", "Carmen", "Diego", "Esther", "Fatima", "Giulia", "Hana", "Ivan", "Joana", "Katarzyna", "Luca"),
    *("Marieke", "Niamh", "Oluwaseun", "Priya", "Rania", "Søren", "Tomás"),
)
FAMILY_NAMES = (
    *("Adeyemi", "Bakker", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "O'Neill", "Åström"),
    *("Andersson", "Bianchi", "Chukwu", "De Vries", "Ferreira", "Gupta", "Hoffmann", "Ivanova", "Jansen", "Kowalski"),
    *("Lefebvre", "Müller", "Nakamura", "Okafor", "Papadopoulos", "Rossi", "Silva", "Tanaka", "Van den Berg", "Šimić"),
)
STREETS = ("Bahnhofstraße", "Calle Mayor", "Hoofdstraat", "Kerkstraat", "Rua das Flores", "Rue de la Gare", "Storgata")
CITIES = ("Nijmegen", "Gent", "Porto", "Łódź", "Bergen")
PLANS = ("free", "silver", "gold", None)
INTERESTS = ("running", "hiking", "cycling", "swimming")
_ID_PREFIX, _COUNTER_DIGITS = "auth0|", 6


class _Dice:
    """Rolls that look like chance and are the same each time: enough of them for one user."""

    def __init__(self, connection: str, number: int) -> None:
        self._left = int.from_bytes(hashlib.blake2b(f"{connection} {number}".encode()).digest())

    def roll(self, sides: int) -> int:
        """Return one of the numbers from 0 to ``sides`` - 1."""
        self._left, rolled = divmod(self._left, sides)
        return rolled

    def one_of(self, choices: Sequence[str]) -> str:
        """Return one of ``choices``."""
        return choices[self.roll(len(choices))]


def generated_user(connection: str, number: int, *, updated_ms: int, logins: int, version: int) -> Data:
    """Return the user with this number as the Management API shows them.

    ``version`` counts the changes, ``logins`` what was noted of them and of logins. Between them users have what real
    ones have: no metadata, null, empty lists, texts with quotes and accents.
    """
    dice = _Dice(connection, number)
    object_id = _object_id(dice, number)
    given, family = dice.one_of(GIVEN_NAMES), dice.one_of(FAMILY_NAMES)
    updated = stamp_of(updated_ms)
    user = {
        "user_id": f"{_ID_PREFIX}{object_id}",
        "email": f"user.{number}@{connection.lower()}.example",
        "email_verified": number % 31 != 0,
        "name": f"{given} {family}",
        "given_name": given,
        "family_name": family,
        "nickname": f"user.{number}",
        "picture": _picture(dice),
        "created_at": stamp_of(created_ms(number)),
        "updated_at": updated,
        "last_login": updated,
        "last_ip": _address(dice),
        "logins_count": number % 50 + logins,
        "identities": [{"connection": connection, "provider": "auth0", "user_id": object_id, "isSocial": False}],
    }
    if number % 3 == 0:
        user["phone_number"] = f"+3120{dice.roll(10_000_000):07}"
    if number % 50 != 49:
        user["user_metadata"] = _user_metadata(dice, number, version)
        user["app_metadata"] = {"customer_number": f"C-{number:07}", "points": number * 7 % 1_000 + version * 10}
    return user


def user_id_of(connection: str, number: int) -> str:
    """Return the id of the user with this number."""
    return f"{_ID_PREFIX}{_object_id(_Dice(connection, number), number)}"


def number_in(user_id: str) -> int:
    """Return the number of the generated user who would have this id, if anybody had it; else one that nobody has."""
    try:
        return int(user_id[-_COUNTER_DIGITS:], 16)
    except ValueError:
        return 1 << 4 * _COUNTER_DIGITS


def created_ms(number: int) -> int:
    """Return when the user with this number was made: later for each next one, at odd milliseconds."""
    return FIRST_MS + number * STEP_MS + number * 7_919 % STEP_MS


def stamp_of(moment_ms: int) -> str:
    """Return epoch milliseconds as Auth0 writes a moment."""
    seconds, milliseconds = divmod(moment_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def _object_id(dice: _Dice, number: int) -> str:
    """Return 24 digits as Auth0's ids have them: of the time, of chance, of a counter. It takes the first roll.

    Source: MongoDB manual, ObjectId.
    """
    return f"{created_ms(number) // 1_000:08x}{dice.roll(1 << 40):010x}{number:06x}"


def _picture(dice: _Dice) -> str:
    """Return the address of a picture, as long as those that Auth0 gives to people who have none."""
    default = f"https%3A%2F%2Fcdn.shop.example%2F{dice.roll(100):02}.png"
    return f"https://cdn.shop.example/people/{dice.roll(1 << 128):032x}?s=480&r=pg&d={default}"


def _address(dice: _Dice) -> str:
    """Return an address of the networks that are nobody's. Source: RFC 5737, RFC 3849."""
    if dice.roll(2):
        return f"198.51.100.{dice.roll(254) + 1}"
    return "2001:db8:" + ":".join(f"{dice.roll(1 << 16):x}" for _ in range(6))


def _user_metadata(dice: _Dice, number: int, version: int) -> Data:
    metadata: Data = {
        "plan": PLANS[(number + version) % len(PLANS)],
        "interests": [name for place, name in enumerate(INTERESTS) if number >> place & 1],
        "address": {
            "street": f"{dice.one_of(STREETS)} {dice.roll(250) + 1}",
            "postal_code": f"{1_000 + dice.roll(9_000)}",
            "city": CITIES[number % len(CITIES)],
        },
        "birthday": f"{1940 + dice.roll(65)}-{dice.roll(12) + 1:02}-{dice.roll(28) + 1:02}",
    }
    if number % 2:
        metadata["newsletter"] = number % 4 == 1
    if number % 97 == 0:
        metadata["note"] = 'likes <b>bold</b>, "quotes" &\nnew lines; =1+1'
    return metadata
