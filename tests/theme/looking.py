"""What tools can see of a page in a real browser: axe, sideways scroll, targets that are too small."""

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe

RULES = {
    "runOnly": {
        "type": "tag",
        "values": "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice".split(),
    },
    # The gallery shows many whole components on one page; a page shows one of each.
    "rules": {"duplicate-id": {"enabled": False}},
}
TOO_SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(el => {
  const box = el.getBoundingClientRect();
  if (!box.width || box.left < 0) return false;  // hidden, or off the page until it has the focus
  // A link in a sentence is WCAG's exception.
  if (el.closest('p, li li, dd p') && el.tagName === 'A' && !el.className) return false;
  return box.width < 24 || box.height < 24;
}).map(el => el.outerHTML.slice(0, 120))"""


def look(page: Any, name: str, width: int, scheme: str) -> list[str]:
    """Problems of the page as it is now; a picture in the folder ABONDE_SHOTS, if it is set."""
    page.wait_for_load_state("load")
    problems = []
    if page.evaluate("document.documentElement.scrollWidth") > width:
        problems.append(f"{name} scrolls sideways at {width} px")
    problems += [f"{name} at {width} px: target too small: {html}" for html in page.evaluate(TOO_SMALL)]
    found = Axe().run(page, options=RULES)
    for violation in found.response["violations"]:
        for node in violation["nodes"]:
            where = f"{name} {width} {scheme} {violation['id']}"
            problems.append(f"{where}: {node['html'][:160]} {node['failureSummary'][:300]}")
    shots = os.environ.get("ABONDE_SHOTS")
    if shots:
        page.screenshot(path=Path(shots) / f"{name}-{width}-{scheme}.png", full_page=True)
    return problems
