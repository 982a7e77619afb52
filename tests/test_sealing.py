import pytest
from cryptography.fernet import Fernet

from webapp.sealing import SealBrokenError, Sealer


def test_a_secret_survives_the_rotation_of_keys() -> None:
    # given a secret sealed with the old key
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Sealer([old]).seal("s3cret")
    # when the new key comes first and the old one stays behind it
    opened = Sealer([new, old]).unseal(sealed)
    # then it can still be opened, and the stored text does not show it
    assert opened == "s3cret"
    assert "s3cret" not in sealed


def test_a_secret_of_a_lost_key_says_which_key_is_needed() -> None:
    # given a secret whose key is gone
    sealed = Sealer([Fernet.generate_key().decode()]).seal("s3cret")
    # when it is opened
    with pytest.raises(SealBrokenError) as caught:
        Sealer([Fernet.generate_key().decode()]).unseal(sealed)
    # then the message names the remedy
    assert "WEBSYNC_SECRET_KEYS" in str(caught.value)


def test_a_pseudonym_is_stable_and_does_not_show_the_id() -> None:
    # given a person's id
    sealer = Sealer([Fernet.generate_key().decode()])
    # when it is logged twice
    first, second = sealer.pseudonym("auth0|65f0"), sealer.pseudonym("auth0|65f0")
    # then both lines can be joined, and other people and other keys have other names
    assert first == second
    assert "65f0" not in first
    assert first != sealer.pseudonym("auth0|65f1")
    assert first != Sealer([Fernet.generate_key().decode()]).pseudonym("auth0|65f0")
