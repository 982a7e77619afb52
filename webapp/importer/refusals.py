"""Why a goal is not imported, or not any further."""

from http import HTTPStatus

from webapp.errors import WebsyncError


class NotImportableError(WebsyncError):
    """The goal or its connection lacks something that a run needs, or is switched off.

    What to do: add on the connection's page what the detail says is missing, and run the import again.
    """

    slug, title, status = "not-importable", "The goal cannot be imported", HTTPStatus.CONFLICT


class GoalChangedError(WebsyncError):
    """The goal was saved while its run was under way, and what the run has or does is not what the goal says now.

    What to do: run the import again.
    """

    slug, title, status = "goal-changed", "The goal was changed during its run", HTTPStatus.CONFLICT
