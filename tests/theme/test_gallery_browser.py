"""Every component in a real browser: axe, no horizontal scroll, large enough targets, a clean console."""

import pytest

from tests.theme.looking import look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


TEXT_SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important }
* { word-spacing: .16em !important }
p { margin-block-end: 2em !important }"""


def test_a_zoomed_page_with_wider_text_never_scrolls_sideways(page, live_server, home):
    """WCAG 1.4.10 (320 by 256 is a 1280 by 1024 screen at 400 %) with 1.4.12."""
    page.set_viewport_size({"width": 320, "height": 256})
    for path in ("/_pb/etats/", "/"):
        page.goto(live_server.url + path)
        # A style sheet of the test's own, as a reader's would be: the page's policy does not bind it.
        page.evaluate(
            "css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s] }",
            TEXT_SPACING,
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_the_keyboard_reaches_the_content_first_and_always_sees_where_it_is(page, live_server, home):
    page.goto(live_server.url + "/accessibilite/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "pb-skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(live_server.url + "/_pb/etats/")
    hidden = []
    for _stop in range(60):
        page.keyboard.press("Tab")
        seen = page.evaluate("""() => { const el = document.activeElement, box = el.getBoundingClientRect();
          const style = getComputedStyle(el);
          return {html: el.outerHTML.slice(0, 80), outline: style.outlineStyle !== 'none',
                  inside: box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight + 1}; }""")
        if not (seen["outline"] and seen["inside"]):
            hidden.append(seen)
    assert hidden == []


def test_the_focus_goes_to_the_errors_of_a_refused_form(page, live_server, home):
    page.goto(live_server.url + "/_pb/etats/formulaire-erreurs/")
    assert page.evaluate("document.activeElement.hasAttribute('data-pb-errors')")
    page.get_by_role("link", name="Choisissez une réponse.").click()
    assert page.evaluate("document.activeElement.id") == "id_ko_display_0"


def test_the_editors_bar_and_the_admin_work_under_their_policies(
    page, live_server, home, django_user_model, client
):
    """Nothing refused by a policy on a page with the editors' bar, nor in the screens that an editor uses."""
    client.force_login(django_user_model.objects.create_superuser("redaction"))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    page.set_viewport_size({"width": 1280, "height": 900})
    brand = f"/admin/settings/abonde_theme/brandsettings/{home.get_site().pk}/"
    for path in ("/", "/admin/", f"/admin/pages/{home.pk}/edit/", brand, "/admin/reports/site-history/"):
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")
    refused = [
        line for line in console if "Content Security Policy" in line or "Content-Security-Policy" in line
    ]
    assert refused == []
