"""Code with the classes that static/css/code.css colours: done here, so that pages need no script for it."""

from functools import cache

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def highlighted(code: str, language: str = "javascript") -> Markup:
    """Return code as HTML: escaped, with spans around its tokens, and otherwise the same text."""
    return Markup(highlight(code, _lexer(language), _FORMATTER))  # noqa: S704, Pygments escapes


@cache
def _lexer(language: str) -> Lexer:
    # Neither lexer option may touch the code: what is shown is what is copied.
    return get_lexer_by_name(language, stripnl=False, ensurenl=False)
