"""Which SDK's code an admin wants to see: kept in the browser's session, for all goals."""

from flask import session

from snippets.sdks import Sdk

SDK_IN_SESSION = "sdk"


def chosen_sdk() -> Sdk:
    """Return the SDK that this browser's admin chose last."""
    chosen = session.get(SDK_IN_SESSION, "")
    return Sdk(chosen) if chosen in set(Sdk) else Sdk.SPA_JS


def choose_sdk(sdk: Sdk) -> None:
    """Keep the choice of an SDK, as long as the admin stays signed in."""
    session[SDK_IN_SESSION] = sdk.value
