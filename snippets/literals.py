"""Text that becomes code: for each language a function that makes literals, and an environment that prints only code.

In every template the filter is called ``literal``: it is the function of the language that the template writes.
"""

import json
import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


class Code(str):
    """Text that is code already, in one language: each has its own class, since each reads a text differently."""

    __slots__ = ()


class JsCode(Code):
    """Text that is JavaScript, or TypeScript, already."""

    __slots__ = ()


class YamlCode(Code):
    """Text that is YAML already."""

    __slots__ = ()


class HclCode(Code):
    """Text that is HCL, Terraform's language, already."""

    __slots__ = ()


class SwiftCode(Code):
    """Text that is Swift already."""

    __slots__ = ()


class KotlinCode(Code):
    """Text that is Kotlin already."""

    __slots__ = ()


class DartCode(Code):
    """Text that is Dart already."""

    __slots__ = ()


class UnescapedOutputError(TypeError):
    """A template printed a value that did not pass `literal` of its language."""


def literal(value: object) -> JsCode:
    """Return ``value`` as a JavaScript literal that is also safe in ``<script>`` and in a ``//`` comment.

    ``value`` is what JSON can hold. ASCII only: line ends, U+2028, bidirectional controls and ``<`` are escaped, and
    the second of two ``#`` or ``@``: Auth0's Deploy CLI replaces ``##NAME##`` and ``@@NAME@@`` even inside code.
    Source: ECMA-262, String Literals; auth0-deploy-cli, "Keyword replacement".
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True).replace("<", "\\u003c")
    return JsCode(text.replace("##", "#\\u0023").replace("@@", "@\\u0040"))


def yaml_literal(value: str | int) -> YamlCode:
    """Return ``value`` as a YAML scalar on one line, in which the Deploy CLI finds nothing to replace.

    Source: YAML 1.2.2, 5.7 (escaped characters).
    """
    return YamlCode(_quoted(value, _four_or_eight_digits, also=r"(?<=#)#|(?<=@)@"))


def hcl_literal(value: str | int) -> HclCode:
    """Return ``value`` as an HCL literal without a template in it: ``${`` and ``%{`` begin one.

    Source: HCL Native Syntax Specification, "Template Literals".
    """
    return HclCode(_quoted(value, _four_or_eight_digits, also=r"[$%](?=\{)"))


def swift_literal(value: str | int) -> SwiftCode:
    """Return ``value`` as a Swift literal; an interpolation begins with a backslash.

    Half of a surrogate pair, which Swift does not have, becomes U+FFFD. Source: The Swift Programming Language, "String
    Literals".
    """
    return SwiftCode(_quoted(value, lambda number: _in_braces(0xFFFD if 0xD800 <= number <= 0xDFFF else number)))


def kotlin_literal(value: str | int) -> KotlinCode:
    """Return ``value`` as a Kotlin literal without a template in it: ``$`` begins one. Source: Kotlin, "Strings"."""
    return KotlinCode(_quoted(value, _utf_16, also=r"\$"))


def dart_literal(value: str | int) -> DartCode:
    """Return ``value`` as a Dart literal without an interpolation: ``$`` begins one. Source: Dart, "Strings"."""
    return DartCode(_quoted(value, _in_braces, also=r"\$"))


def without_comments(code: str) -> JsCode:
    """Return JavaScript without the lines that are comments: no literal has a line end in it, so no text is lost."""
    return JsCode(re.sub(r"^ *//.*\n", "", code, flags=re.MULTILINE))


def _quoted(value: str | int, escape: Callable[[int], str], *, also: str = "(?!)") -> str:
    r"""Return a number as it is, and a text between double quotes: printable ASCII, with ``\"`` and ``\\``.

    ``escape`` writes every other code point, and what the pattern ``also`` finds.
    """
    if isinstance(value, int):
        return str(int(value))

    def escaped(found: re.Match[str]) -> str:
        return "\\" + found[0] if found[0] in {'"', "\\"} else escape(ord(found[0]))

    return '"' + re.sub(rf'[^ -~]|["\\]|{also}', escaped, value) + '"'


def _four_or_eight_digits(number: int) -> str:
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _in_braces(number: int) -> str:
    return f"\\u{{{number:x}}}"


def _utf_16(number: int) -> str:
    units = chr(number).encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def _environment(make_literal: Callable[..., Code], language: type[Code]) -> Environment:
    def only_code(value: object) -> Code:
        """Pass the language's code through and stop everything else, so that a forgotten filter fails at once."""
        if not isinstance(value, language):
            raise UnescapedOutputError(f"{value!r} reached generated code without passing literal()")
        return value

    made = Environment(  # noqa: S701, the output is no HTML: only_code is its escaping
        loader=PackageLoader("snippets"),
        finalize=only_code,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["literal"] = make_literal
    made.filters["without_comments"] = without_comments
    return made


environment = _environment(literal, JsCode)

ENVIRONMENTS = {
    "javascript": environment,
    "typescript": environment,
    "yaml": _environment(yaml_literal, YamlCode),
    "terraform": _environment(hcl_literal, HclCode),
    "swift": _environment(swift_literal, SwiftCode),
    "kotlin": _environment(kotlin_literal, KotlinCode),
    "dart": _environment(dart_literal, DartCode),
}
"""The environment of each language, by Pygments' name for it."""
