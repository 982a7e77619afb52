"""A shop whose tokens are received."""

from tests.tokens.conftest import issuer, make_shop, shop  # noqa: F401, fixtures
