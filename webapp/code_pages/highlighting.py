"""Code with the classes that static/css/code.css colours: done here, so that pages need no script for it."""

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import JavascriptLexer

# Neither lexer option may touch the code: what is shown is what is copied.
_LEXER = JavascriptLexer(stripnl=False, ensurenl=False)
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def highlighted(code: str) -> Markup:
    """Return JavaScript as HTML: escaped, with spans around its tokens, and otherwise the same text."""
    return Markup(highlight(code, _LEXER, _FORMATTER))  # noqa: S704, Pygments escapes
