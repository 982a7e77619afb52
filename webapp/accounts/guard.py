"""Pages are for admins. Every view is closed unless it says otherwise."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Open a view to everybody. Stands below the route: ``@bp.get(...)``, then ``@public``."""
    view.is_public = True  # type: ignore[attr-defined]  # the guard in session.py looks for it
    return view
