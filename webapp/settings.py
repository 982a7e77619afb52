"""Settings: environment variables named ``WEBSYNC_…``, checked before anything starts (docs/settings.md)."""

import difflib
import ipaddress
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from flask import current_app
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from snippets.goals import LOOPBACK_HOSTS
from webapp.smtp_url import MailServer, read_address, read_smtp_url

PREFIX = "WEBSYNC_"
DEVELOPMENT_KEY = "d2Vic3luYy1kZXZlbG9wbWVudC1rZXktbm90LXNhZmU="
"""A key that everybody can read here: for development only, refused in production."""
KEY_ADVICE = "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """The settings are wrong. ``lines`` has one sentence for each mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Mode(StrEnum):
    """What the service runs for. Production refuses whatever is only good enough for the other two."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"
    DEMO = "demo"


class SqliteSynchronous(StrEnum):
    """How SQLite waits for the disk. FULL keeps every answered change through a power cut."""

    FULL = "FULL"
    NORMAL = "NORMAL"


class Settings(BaseSettings):
    """All settings. Every field is described in docs/settings.md; a test compares the two."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    mode: Mode = Mode.PRODUCTION
    database_url: str = "sqlite:///websync.db"
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    public_url: str = "http://localhost:8000"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    threads: int = Field(default=16, ge=1, le=256)
    sqlite_synchronous: SqliteSynchronous = SqliteSynchronous.FULL
    proxies: int = Field(default=0, ge=0, le=10)
    session_hours: int = Field(default=12, ge=1, le=720)
    token_leeway_seconds: int = Field(default=30, ge=0, le=60)
    body_seconds: int = Field(default=10, ge=1, le=60)
    limits_url: str = "memory://"
    address_posts_per_minute: int = Field(default=6_000, ge=0)
    goal_posts_per_minute: int = Field(default=300_000, ge=0)
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    executor_id: str = Field(default="", max_length=100, pattern="^[A-Za-z0-9_.-]*$")
    worker_lost_seconds: int = Field(default=30, ge=3, le=3600)
    smtp_url: SecretStr | None = None
    mail_from: str = ""
    webhook_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    run_days: int = Field(default=90, ge=0, le=36_500)
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003, the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment only: a forgotten ``.env`` file must not change a service."""
        return init_settings, env_settings

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value

    @field_validator("secret_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, key in enumerate(keys, start=1):
            try:
                Fernet(key.get_secret_value())
            except ValueError as error:
                raise ValueError(f"key {number} is not a Fernet key. {KEY_ADVICE}") from error
        return keys

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ValueError("is not a database URL such as sqlite:///websync.db or postgresql://…") from error
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
            raise ValueError("must start with sqlite:/// or postgresql://")
        if parsed.drivername == "sqlite" and not parsed.database:
            raise ValueError("must name a file: several threads cannot share a database in memory")
        return parsed.render_as_string(hide_password=False)

    @field_validator("limits_url")
    @classmethod
    def _check_limits_url(cls, url: str) -> str:
        if url == "memory://":
            return url
        try:
            parts = urlsplit(url)
            is_redis = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
            is_redis = is_redis and (parts.path.strip("/") or "0").isdecimal()
        except ValueError:
            is_redis = False
        if not is_redis:
            raise ValueError(
                "must be memory:// or a Redis such as redis://redis.example.com:6379/0 (rediss:// with TLS)"
            )
        return url

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        read_smtp_url(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, address: str) -> str:
        return read_address(address) if address else ""

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(ipaddress.ip_network(each.strip()) for each in value.split(",") if each.strip())
        except ValueError as error:
            raise ValueError("must be networks such as 10.1.0.0/16,192.168.7.9, separated by commas") from error

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str) -> str:
        return read_origin(url)

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        if wrong := list(self._mode_mistakes()):
            raise ValueError("\n".join(wrong))
        return self

    def _mode_mistakes(self) -> Iterator[str]:
        is_known = DEVELOPMENT_KEY in self.keys
        if self.mode is not Mode.PRODUCTION:
            if is_known and not (is_loopback(self.host) and is_loopback(urlsplit(self.public_url).hostname)):
                yield (
                    f"{PREFIX}SECRET_KEYS: is missing or has the development key, which everybody knows. Without a key "
                    f"of your own, host and public URL must be this computer's. {KEY_ADVICE}"
                )
            return
        if not self.secret_keys:
            yield f"{PREFIX}SECRET_KEYS: is missing, and production needs it. {KEY_ADVICE}"
        elif is_known:
            yield f"{PREFIX}SECRET_KEYS: has the development key, which everybody knows. {KEY_ADVICE}"
        if not self.is_https:
            yield f"{PREFIX}PUBLIC_URL: must be an https:// URL in production (it is {self.public_url!r})."

    @property
    def keys(self) -> tuple[str, ...]:
        """The Fernet keys, newest first. Outside production there is always one."""
        return tuple(key.get_secret_value() for key in self.secret_keys) or (DEVELOPMENT_KEY,)

    @property
    def allows_loopback_tenant(self) -> bool:
        """Whether an Auth0 domain may be plain http on this computer, as the demo tenant's is."""
        return self.mode is not Mode.PRODUCTION

    @property
    def mail_server(self) -> MailServer | None:
        """Where mail goes out, None if it does not."""
        return None if self.smtp_url is None else read_smtp_url(self.smtp_url.get_secret_value())

    @property
    def mail_sender(self) -> str:
        """The address in whose name mail goes out."""
        return self.mail_from or f"websync@{urlsplit(self.public_url).hostname}"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the service by https."""
        return self.public_url.startswith("https://")


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: with one line for each setting that is wrong, missing or misspelt.
    """
    lines = list(_misspelt(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        lines += _lines_of(error)
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        if wrong and "mode" not in wrong:
            lines += _lines_of_the_rest(wrong)
        raise SettingsError(lines) from None
    if lines:
        raise SettingsError(lines)
    return settings


def _lines_of(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        name = f"{PREFIX}{'_'.join(map(str, problem['loc'])).upper()}: " if problem["loc"] else ""
        yield from (name + line for line in problem["msg"].removeprefix("Value error, ").splitlines())


def _lines_of_the_rest(wrong: set[str]) -> Iterator[str]:
    """Yield what else there is to mend, so that one round is enough: as if those that are ``wrong`` were good."""
    good = {name: Settings.model_fields[name].default for name in wrong}
    if "secret_keys" in wrong:
        good["secret_keys"] = (Fernet.generate_key().decode(),)
    if "public_url" in wrong:
        good["public_url"] = "https://websync.example.com"
    try:
        Settings(**good)
    except ValidationError as error:
        yield from _lines_of(error)


def read_origin(url: str) -> str:
    """Return ``url`` without a slash at its end. Raises ValueError if it is more than scheme, host and port."""
    try:
        parts = urlsplit(url.rstrip("/"))
        port = parts.port  # reading it is what checks it
    except ValueError as error:
        raise ValueError("must be a URL such as https://websync.example.com") from error
    is_origin = (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and parts.geturl() == f"{parts.scheme}://{parts.netloc}"
    )
    if not is_origin or port == 0 or "@" in parts.netloc or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be scheme and host only, such as https://websync.example.com")
    return parts.geturl()


def is_loopback(host: str | None) -> bool:
    """Say if ``host`` is this computer."""
    return host in LOOPBACK_HOSTS


def settings() -> Settings:
    """Return the settings of the running app."""
    found: Settings = current_app.extensions["settings"]
    return found


def _misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in environment:
        if name.startswith(PREFIX) and name not in known and (close := difflib.get_close_matches(name, known, 1, 0.85)):
            yield f"{name}: is no setting. Did you mean {close[0]}?"
