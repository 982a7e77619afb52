"""What the ``websync`` commands have in common: the app, or a clear word why there is none."""

import sys
from typing import NoReturn

import click
from flask import Flask

from webapp.app import create_app
from webapp.database import database
from webapp.settings import Settings, SettingsError, load_settings


def settings_or_exit() -> Settings:
    """Return the settings of the environment."""
    try:
        return load_settings()
    except SettingsError as error:
        exit_with_lines(str(error))


def app_or_exit() -> Flask:
    """Return the app, over a database that is up to date."""
    app = create_app(settings_or_exit())
    with app.app_context():
        database().upgrade()
    return app


def exit_with_lines(text: str) -> NoReturn:
    """Say why a command failed, and end with 2."""
    click.echo(text, err=True)
    sys.exit(2)
