"""The demo tenant for the tests of what calls it."""

from tests.demo.conftest import tenant

__all__ = ["tenant"]
