import re
from pathlib import Path

import pytest

from webapp.settings import DEVELOPMENT_KEY, Mode, Settings, SettingsError, load_settings

KEY = "dGVzdHMtb25seS1rZXktMDEyMzQ1Njc4OTAxMjM0NTY="
GOOD = {"WEBSYNC_SECRET_KEYS": KEY, "WEBSYNC_PUBLIC_URL": "https://websync.example.com"}


def load(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WEBSYNC_{name.upper()}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_production_starts_with_a_key_and_an_https_url(monkeypatch: pytest.MonkeyPatch) -> None:
    # given the two settings that production needs
    # when they are read
    settings = load(monkeypatch, GOOD)
    # then the rest has its defaults
    assert settings.mode is Mode.PRODUCTION
    assert settings.keys == (KEY,)
    assert settings.sqlite_synchronous == "FULL"
    assert not settings.allows_loopback_tenant


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"WEBSYNC_SECRET_KEYS": ""}, "WEBSYNC_SECRET_KEYS: is missing"),
        ({"WEBSYNC_SECRET_KEYS": DEVELOPMENT_KEY}, "WEBSYNC_SECRET_KEYS: has the development key"),
        ({"WEBSYNC_SECRET_KEYS": f"{KEY},{DEVELOPMENT_KEY}"}, "WEBSYNC_SECRET_KEYS: has the development key"),
        ({"WEBSYNC_SECRET_KEYS": "short"}, "WEBSYNC_SECRET_KEYS: key 1 is not a Fernet key"),
        ({"WEBSYNC_PUBLIC_URL": "http://websync.example.com"}, "WEBSYNC_PUBLIC_URL: must be an https:// URL"),
        ({"WEBSYNC_PUBLIC_URL": "websync.example.com"}, "WEBSYNC_PUBLIC_URL: must be scheme and host only"),
        ({"WEBSYNC_PUBLIC_URL": "https://a.example/path"}, "WEBSYNC_PUBLIC_URL: must be scheme and host only"),
        ({"WEBSYNC_PUBLIC_URL": "https://a.example?q"}, "WEBSYNC_PUBLIC_URL: must be scheme and host only"),
        ({"WEBSYNC_PUBLIC_URL": "https://you:secret@a.example"}, "WEBSYNC_PUBLIC_URL: must be scheme and host only"),
        ({"WEBSYNC_PUBLIC_URL": "https://a b.example"}, "WEBSYNC_PUBLIC_URL: must be scheme and host only"),
        ({"WEBSYNC_PUBLIC_URL": "https://a.example:many"}, "WEBSYNC_PUBLIC_URL: must be a URL"),
        ({"WEBSYNC_PUBLIC_URL": "https://a.example:99999"}, "WEBSYNC_PUBLIC_URL: must be a URL"),
        ({"WEBSYNC_DATABASE_URL": "mysql://db"}, "WEBSYNC_DATABASE_URL: must start with sqlite:/// or postgresql://"),
        ({"WEBSYNC_DATABASE_URL": "sqlite://"}, "WEBSYNC_DATABASE_URL: must name a file"),
        ({"WEBSYNC_DATABASE_URL": "nonsense"}, "WEBSYNC_DATABASE_URL: is not a database URL"),
        ({"WEBSYNC_LIMITS_URL": "memcached://x"}, "WEBSYNC_LIMITS_URL: must be memory:// or a Redis"),
        ({"WEBSYNC_LIMITS_URL": "redis://"}, "WEBSYNC_LIMITS_URL: must be memory:// or a Redis"),
        ({"WEBSYNC_LIMITS_URL": "redis://cache:99999"}, "WEBSYNC_LIMITS_URL: must be memory:// or a Redis"),
        ({"WEBSYNC_LIMITS_URL": "redis://cache/zero"}, "WEBSYNC_LIMITS_URL: must be memory:// or a Redis"),
        ({"WEBSYNC_SMTP_URL": "mail.example.com"}, "WEBSYNC_SMTP_URL: must be an SMTP server"),
        ({"WEBSYNC_SMTP_URL": "http://mail.example.com"}, "WEBSYNC_SMTP_URL: must be an SMTP server"),
        ({"WEBSYNC_SMTP_URL": "smtp://mail.example.com:many"}, "WEBSYNC_SMTP_URL: must be an SMTP server"),
        ({"WEBSYNC_SMTP_URL": "smtp://mail.example.com/path"}, "WEBSYNC_SMTP_URL: must be an SMTP server"),
        ({"WEBSYNC_SMTP_URL": "smtp://me@mail.example.com"}, "WEBSYNC_SMTP_URL: must have both a user and a password"),
        ({"WEBSYNC_SMTP_URL": "smtp://me:%C3%A4@mail.example.com"}, "WEBSYNC_SMTP_URL: must be printable ASCII"),
        ({"WEBSYNC_MAIL_FROM": "Websync <websync@a.example>"}, "WEBSYNC_MAIL_FROM: is no e-mail address"),
        ({"WEBSYNC_WEBHOOK_NETWORKS": "10.1.0.1/16"}, "WEBSYNC_WEBHOOK_NETWORKS: must be networks"),
        ({"WEBSYNC_ADDRESS_POSTS_PER_MINUTE": "-1"}, "WEBSYNC_ADDRESS_POSTS_PER_MINUTE: Input should be greater than"),
        ({"WEBSYNC_METRICS_TOKEN": "short"}, "WEBSYNC_METRICS_TOKEN: Value should have at least 16 items"),
        ({"WEBSYNC_MODE": "live"}, "WEBSYNC_MODE: Input should be 'production', 'development' or 'demo'"),
        ({"WEBSYNC_PORT": "0"}, "WEBSYNC_PORT: Input should be greater than or equal to 1"),
        ({"WEBSYNC_PUBLC_URL": "x"}, "WEBSYNC_PUBLC_URL: is no setting. Did you mean WEBSYNC_PUBLIC_URL?"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], line: str) -> None:
    # given good settings with one mistake
    # when they are read
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, GOOD | changes)
    # then exactly one line speaks of it
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(line)


def test_mail_goes_out_in_the_name_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a mail server, and networks inside that may be called
    environment = {
        "WEBSYNC_SMTP_URL": "smtps://me:s3cret@mail.example.com",
        "WEBSYNC_WEBHOOK_NETWORKS": "10.1.0.0/16, ::1",
    }
    # when the settings are read
    settings = load(monkeypatch, GOOD | environment)
    # then the sender is a name at the public URL unless it is set, and the password shows nowhere
    assert settings.mail_sender == "websync@websync.example.com"
    assert load(monkeypatch, GOOD | {"WEBSYNC_MAIL_FROM": "ops@example.com"}).mail_sender == "ops@example.com"
    assert [str(each) for each in settings.webhook_networks] == ["10.1.0.0/16", "::1/128"]
    assert "s3cret" not in repr(settings) + repr(settings.mail_server)


def test_every_mistake_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # given production without a key, on http, with a port that is no number, and no threads
    environment = {"WEBSYNC_PUBLIC_URL": "http://x.example", "WEBSYNC_PORT": "many", "WEBSYNC_THREADS": "0"}
    # when the settings are read
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, environment)
    # then each has a line, so that one round of mending is enough
    names = sorted(line.split(":")[0] for line in caught.value.lines)
    assert names == ["WEBSYNC_PORT", "WEBSYNC_PUBLIC_URL", "WEBSYNC_SECRET_KEYS", "WEBSYNC_THREADS"]


@pytest.mark.parametrize(
    "changes",
    [
        {"WEBSYNC_HOST": "0.0.0.0"},
        {"WEBSYNC_PUBLIC_URL": "https://websync.example.com"},
        {"WEBSYNC_HOST": "192.0.2.1", "WEBSYNC_SECRET_KEYS": DEVELOPMENT_KEY},
    ],
)
@pytest.mark.parametrize("mode", ["development", "demo"])
def test_the_key_that_everybody_knows_is_only_for_this_computer(
    monkeypatch: pytest.MonkeyPatch, mode: str, changes: dict[str, str]
) -> None:
    # given no key of one's own, outside production
    good = {"WEBSYNC_MODE": mode}
    assert load(monkeypatch, good).keys == (DEVELOPMENT_KEY,)
    # when others could reach the service, and make a cookie with the known key
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, good | changes)
    # then it does not start; with a key it does
    assert [line.split(":")[0] for line in caught.value.lines] == ["WEBSYNC_SECRET_KEYS"]
    assert load(monkeypatch, good | changes | {"WEBSYNC_SECRET_KEYS": KEY}).keys == (KEY,)


def test_a_slash_at_the_end_of_the_public_url_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        load(monkeypatch, GOOD | {"WEBSYNC_PUBLIC_URL": "https://a.example:8443/"}).public_url
        == "https://a.example:8443"
    )


def test_a_wrong_key_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    # given something that might be a secret, in the place of a key
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, GOOD | {"WEBSYNC_SECRET_KEYS": "hunter2-hunter2"})
    # then nobody reads it in a terminal
    assert "hunter2" not in str(caught.value)


def test_the_documentation_has_every_setting_and_no_other() -> None:
    # given the table of settings
    text = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    # when its names are compared with the code
    documented = set(re.findall(r"^\| `WEBSYNC_([A-Z_]+)`", text, flags=re.MULTILINE))
    # then they are the same
    assert documented == {name.upper() for name in Settings.model_fields}
