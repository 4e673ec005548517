"""Every component in a real browser: axe, no horizontal scroll, large enough targets, a clean console."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    # The gallery shows many whole components on one page; a page shows one of each.
    "rules": {"duplicate-id": {"enabled": False}},
}
TOO_SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(el => {
  const box = el.getBoundingClientRect();
  if (!box.width || box.left < 0) return false;  // hidden, or off the page until it has the focus
  if (el.closest('p, li li, dd p') && el.tagName === 'A' && !el.className) return false;  // in a sentence: WCAG's exception
  return box.width < 24 || box.height < 24;
}).map(el => el.outerHTML.slice(0, 120))"""


def look(page, name: str, width: int, scheme: str) -> list[str]:
    """Problems that tools can see, of the page as it is now."""
    problems = []
    if page.evaluate("document.documentElement.scrollWidth") > width:
        problems.append(f"{name} scrolls sideways at {width} px")
    problems += [f"{name} at {width} px: target too small: {html}" for html in page.evaluate(TOO_SMALL)]
    found = Axe().run(page, options=RULES)
    for violation in found.response["violations"]:
        for node in violation["nodes"]:
            problems.append(f"{name} {width} {scheme} {violation['id']}: {node['html'][:160]} {node['failureSummary'][:300]}")
    shots = os.environ.get("ABONDE_SHOTS")
    if shots:
        page.screenshot(path=Path(shots) / f"{name}-{width}-{scheme}.png", full_page=True)
    return problems


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_gallery_and_the_plain_pages_have_nothing_to_reproach(page, live_server, home, width, scheme):
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    problems = []
    for name, path in (
        ("etats", "/_pb/etats/"),
        ("accueil", "/"),
        ("accessibilite", "/accessibilite/"),
        ("plan", "/plan-du-site/"),
        ("formulaire-erreurs", "/_pb/etats/formulaire-erreurs/"),
    ):
        page.goto(live_server.url + path)
        problems += look(page, name, width, scheme)
    assert not problems, "\n".join(problems)
    assert console == []
