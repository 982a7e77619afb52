"""Logs: one JSON object a line in production, readable lines elsewhere. Facts are fields; no personal data."""

import logging

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from webapp.settings import Mode, Settings


def configure_logs(settings: Settings) -> None:
    """Set up structlog for the whole process."""
    is_production = settings.mode is Mode.PRODUCTION
    # Local variables of a traceback may hold tokens and personal data: they stay out of both forms.
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([tracebacks, structlog.processors.JSONRenderer()] if is_production else [for_people]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        cache_logger_on_first_use=False,
    )


def keep_loggers() -> None:
    """Make each logger once: nothing about logs changes any more in this process."""
    structlog.configure(cache_logger_on_first_use=True)
