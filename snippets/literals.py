"""Text that becomes code: the one function that makes literals, and the environment that prints nothing else."""

import json

from jinja2 import Environment, PackageLoader, StrictUndefined


class JsCode(str):
    """Text that is JavaScript already."""

    __slots__ = ()


class UnescapedOutputError(TypeError):
    """A template printed a value that did not pass `literal`."""


def literal(value: object) -> JsCode:
    """Return ``value`` as a JavaScript literal that is also safe in ``<script>`` and in a ``//`` comment.

    ``value`` is what JSON can hold. ASCII only: line ends, U+2028, bidirectional controls and ``<`` are escaped, and
    the second of two ``#`` or ``@``: Auth0's Deploy CLI replaces ``##NAME##`` and ``@@NAME@@`` even inside code.
    Source: ECMA-262, String Literals; auth0-deploy-cli, "Keyword replacement".
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True).replace("<", "\\u003c")
    return JsCode(text.replace("##", "#\\u0023").replace("@@", "@\\u0040"))


def only_code(value: object) -> JsCode:
    """Pass code through and stop everything else, so that a forgotten filter fails at once."""
    if not isinstance(value, JsCode):
        raise UnescapedOutputError(f"{value!r} reached generated code without passing literal()")
    return value


environment = Environment(  # noqa: S701, the output is JavaScript: only_code is its escaping
    loader=PackageLoader("snippets"),
    finalize=only_code,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
environment.filters["literal"] = literal
