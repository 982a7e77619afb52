"""What a literal of each language may hold, and that no text leaves it."""

import re
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from snippets.literals import (
    ENVIRONMENTS,
    Code,
    UnescapedOutputError,
    dart_literal,
    environment,
    hcl_literal,
    kotlin_literal,
    literal,
    swift_literal,
    yaml_literal,
)
from tests.snippets.test_hostile_text import HOSTILE

texts = st.text() | st.sampled_from(HOSTILE) | st.text("\"'\\${}%#@()u\u2028\r\n\ud800\U0001f600", max_size=40)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("</script>", r'"\u003c/script>"'),
        ("\u2028\u202e\n", r'"\u2028\u202e\n"'),
        ("##KEY## @@KEY@@ ###", r'"#\u0023KEY#\u0023 @\u0040KEY@\u0040 #\u0023#"'),
        (("a", 1, None, True), '["a", 1, null, true]'),
    ],
)
def test_a_literal_is_safe_wherever_code_may_stand(value: object, expected: str) -> None:
    assert literal(value) == expected


def test_a_number_that_json_lacks_is_no_literal() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        literal(float("nan"))


def test_a_template_that_forgets_the_filter_fails() -> None:
    with pytest.raises(UnescapedOutputError, match="without passing literal"):
        environment.from_string("{{ name }}").render(name="alert(1)")


@pytest.mark.parametrize("language", ENVIRONMENTS)
def test_no_language_prints_another_language_s_literal(language: str) -> None:
    # given a text that each language reads differently, as JavaScript or YAML write it
    other = yaml_literal("$x") if language in {"javascript", "typescript"} else literal("$x")
    # when a template prints it as it is
    # then that fails
    with pytest.raises(UnescapedOutputError, match="without passing literal"):
        ENVIRONMENTS[language].from_string("{{ name }}").render(name=other)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (yaml_literal, r'"\"\\ $x ${x} %{x} #\u0023\u0023 @\u0040 \u000a\u2028\U0001f600\ud800\u007f"'),
        (hcl_literal, r'"\"\\ $x \u0024{x} \u0025{x} ### @@ \u000a\u2028\U0001f600\ud800\u007f"'),
        (swift_literal, r'"\"\\ $x ${x} %{x} ### @@ \u{a}\u{2028}\u{1f600}\u{fffd}\u{7f}"'),
        (kotlin_literal, r'"\"\\ \u0024x \u0024{x} %{x} ### @@ \u000a\u2028\ud83d\ude00\ud800\u007f"'),
        (dart_literal, r'"\"\\ \u{24}x \u{24}{x} %{x} ### @@ \u{a}\u{2028}\u{1f600}\u{d800}\u{7f}"'),
    ],
)
def test_each_language_has_its_own_escapes(make: Callable[[str | int], Code], expected: str) -> None:
    assert make('"\\ $x ${x} %{x} ### @@ \n\u2028\U0001f600\ud800\x7f') == expected
    assert make(7) == "7"


@given(text=texts)
@pytest.mark.parametrize(
    ("make", "escape", "special"),
    [
        (yaml_literal, r'\\(?:["\\]|u[0-9a-f]{4}|U[0-9a-f]{8})', ("##", "@@")),
        (hcl_literal, r'\\(?:["\\]|u[0-9a-f]{4}|U[0-9a-f]{8})', ("${", "%{")),
        (swift_literal, r'\\(?:["\\]|u\{[0-9a-f]{1,6}\})', ()),
        (kotlin_literal, r'\\(?:["\\]|u[0-9a-f]{4})', ("$",)),
        (dart_literal, r'\\(?:["\\]|u\{[0-9a-f]{1,6}\})', ("$",)),
    ],
)
def test_no_text_leaves_its_literal(
    make: Callable[[str], Code], escape: str, special: tuple[str, ...], text: str
) -> None:
    # when any text is written in a language
    written = make(text)
    # then it is one line between quotes, of plain characters and whole escapes only
    assert re.fullmatch(rf'"(?:[ !#-\[\]-~]|{escape})*"', written)
    # and nothing in it begins what the language, or the tool that reads it, puts in
    assert not any(each in written for each in special)


@given(text=texts)
def test_yaml_reads_what_was_written(text: str) -> None:
    assert yaml.safe_load(f"# {yaml_literal(text)}\n- {yaml_literal(text)}\n") == [text]
