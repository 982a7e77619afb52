"""How many tokens and logins may come: of one address, and to one goal. Asked before anything of a post is read."""

from webapp.rates import Rate, is_own_address, rates
from webapp.settings import settings

MINUTE = 60


def limit_address(address: str) -> None:
    """Count a post for the address (`address_group`) that it comes from. Raises TooManyRequestsError.

    This computer's own is not counted: it is a proxy that WEBSYNC_PROXIES does not tell of, and so everybody.
    """
    if (limit := settings().address_posts_per_minute) and not is_own_address(address):
        rates().check(Rate("posts of an address", limit, MINUTE), address)


def limit_goal(goal_key: str) -> None:
    """Count a post for a goal, which exists. Raises TooManyRequestsError."""
    if limit := settings().goal_posts_per_minute:
        rates().check(Rate("posts to a goal", limit, MINUTE), goal_key)
