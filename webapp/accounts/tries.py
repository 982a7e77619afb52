"""How often somebody may try a password or a link: guessing has to be slow."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import request

from webapp.rates import Rate, TooManyRequestsError, client_address, rates

TRIES = Rate("sign-in", limit=10, seconds=300)
TOO_MANY = "Too many tries from your address. Wait a few minutes, then try again."

P = ParamSpec("P")
R = TypeVar("R")


def limit_tries(view: Callable[P, R]) -> Callable[P, R]:
    """Count each POST to the view for the address that it comes from; all views that do so count together."""

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        if request.method == "POST":
            try:
                rates().check(TRIES, client_address())
            except TooManyRequestsError as error:
                error.detail = TOO_MANY
                raise
        return view(*args, **kwargs)

    return limited
