"""When a connection may process a visitor: what its objectives come to, as plain data for a page and for the service.

Source: BlueConic, "Add consent Objectives to objects": in a zone with opt-in a consented objective is needed, in a zone
with opt-out no objective may be refused.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

MAX_OBJECTIVES = 20
"""Of one connection: the token snippet carries them all."""
MAX_ZONES = 100
OBJECTIVE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
ZONE = re.compile(r"[A-Z0-9_]{1,60}", re.ASCII)
NO_ZONE = "NONE"
"""The zone of visitors for whom BlueConic knows no legislation: the rest of the world."""


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """In which legislation zones a visitor's word about these objectives matters, and how.

    In a zone of ``opt_in`` the visitor must have consented to one of the ``objectives``, in a zone of ``opt_out`` must
    have refused none. Everywhere else no consent is needed. Raises ValueError if it cannot be.
    """

    objectives: tuple[str, ...]
    opt_in: tuple[str, ...] = ()
    opt_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.objectives) <= MAX_OBJECTIVES or not all(map(OBJECTIVE_ID.fullmatch, self.objectives)):
            raise ValueError(f"A rule has 1 to {MAX_OBJECTIVES} objectives, named by ids.")
        zones = [*self.opt_in, *self.opt_out]
        if not 0 < len(zones) <= MAX_ZONES or not all(map(ZONE.fullmatch, zones)):
            raise ValueError(f"A rule has 1 to {MAX_ZONES} legislation zones.")


def plain_rule(rule: ConsentRule) -> dict[str, list[str]]:
    """Return a rule as plain data from which `read_rule` makes it again."""
    return {name: list(value) for name, value in asdict(rule).items()}


def read_rule(plain: object) -> ConsentRule:
    """Return the rule that ``plain`` describes. Raises ValueError."""
    if not isinstance(plain, Mapping) or set(plain) != {"objectives", "opt_in", "opt_out"}:
        raise ValueError("A rule has objectives, opt_in and opt_out.")
    texts = [[item for item in value if isinstance(item, str)] for value in plain.values() if isinstance(value, list)]
    if [*map(len, texts)] != [len(value) for value in plain.values()]:
        raise ValueError("A rule has lists of texts.")
    return ConsentRule(**dict(zip(plain, map(tuple, texts), strict=True)))
