"""Runs the site's snippets in the page of browser.js."""

from pathlib import Path
from typing import Any

from tests.javascript import NodeProcess

BROWSER = Path(__file__).with_name("browser.js").read_text(encoding="utf-8")


def visit_page(node: NodeProcess, code: str, *calls: str, **given: Any) -> dict[str, Any]:
    """Load ``code`` into a page, make the ``calls`` one after the other, return all that was seen (browser.js)."""
    seen: dict[str, Any] = node.run(BROWSER, {"code": code, "calls": calls, **given})
    # Whatever happens: no unhandled rejection, nothing in the console, no exception for the page.
    assert seen["errors"] == []
    assert seen["console"] == []
    assert not [result for result in seen["results"] if str(result).startswith("threw")]
    return seen
