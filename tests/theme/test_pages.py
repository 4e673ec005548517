"""Pages that belong to no domain, as a visitor gets them."""

import base64
import hashlib
import re

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.template import Context, Template
from wagtail.models import Site

from theme.middleware import ADMIN, STYLE_OF_500
from theme.models import AccessibilitySettings, BrandSettings


@pytest.fixture(autouse=True)
def _fresh_cache():
    cache.clear()


def test_the_home_page_answers_with_one_heading_and_the_compulsory_mention(client, home):
    html = client.get("/").content.decode()
    assert len(re.findall("<h1", html)) == 1
    assert "Un euro d’habitant en appelle d’autres" in html
    assert '<html lang="fr">' in html
    assert re.search(r'<a href="[^"]*/accessibilite/">Accessibilité\s: non conforme</a>', html)


def test_an_anonymous_page_may_be_kept_by_a_shared_cache(client, home):
    for path in ("/", "/comment/", "/plan-du-site/"):
        response = client.get(path)
        assert response.status_code == 200
        assert "cookie" not in response.headers.get("Vary", "").lower(), path
        assert not response.cookies, path


def test_the_home_page_takes_the_same_few_queries_whatever_the_menu(
    client, home, django_assert_max_num_queries
):
    from theme.models import PlainPage

    client.get("/")
    for number in range(12):
        home.add_child(instance=PlainPage(title=f"Page {number}", slug=f"page-{number}", show_in_menus=True))
    # Site, page, brand, accessibility, menu and footer, translations; the view of the page restrictions.
    with django_assert_max_num_queries(12):
        assert client.get("/").status_code == 200


def test_the_mention_follows_the_setting_and_refuses_to_claim_without_an_audit(client, home):
    from django.core.exceptions import ValidationError

    state = AccessibilitySettings.for_site(Site.objects.get(is_default_site=True))
    state.status = "partial"
    with pytest.raises(ValidationError):
        state.full_clean()
    state.audited_on, state.audited_by, state.rate = "2027-01-15", "un tiers", 72
    state.full_clean()
    state.save()
    assert "Accessibilité\xa0: partiellement conforme" in client.get("/").content.decode().replace(
        " :", "\xa0:"
    )
    assert "72\xa0%" in client.get("/accessibilite/").content.decode().replace(" %", "\xa0%")


def test_the_database_also_refuses_the_claim(home):
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        AccessibilitySettings.objects.create(site=Site.objects.get(is_default_site=True), status="full")


def test_residents_get_the_strict_policy_and_the_admin_its_own(client, home, settings):
    settings.ABONDE_FORM_ACTIONS = ["https://paiement.example"]
    public = client.get("/").headers["Content-Security-Policy"]
    assert "unsafe-inline" not in public
    assert "default-src 'none'" in public and "frame-ancestors 'none'" in public
    assert "form-action 'self' https://paiement.example" in public
    admin = client.get("/admin/login/").headers["Content-Security-Policy"]
    assert "'unsafe-inline'" in admin and "frame-ancestors 'self'" in admin
    assert ADMIN["form-action"] == ["'self'"]


def test_no_template_has_an_inline_style_or_script_but_the_500_page():
    from pathlib import Path

    import theme

    for path in Path(theme.__file__).parent.rglob("*.html"):
        if path.name == "500.html":
            continue
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\bsrc=)", text), path


def test_the_500_page_stands_alone_and_its_only_style_is_the_one_allowed(client, home, monkeypatch):
    from theme.models import HomePage

    def fail(*args, **kwargs):
        raise RuntimeError("panne")

    monkeypatch.setattr(HomePage, "serve", fail)
    client.raise_request_exception = False
    response = client.get("/")
    html = response.content.decode()
    assert response.status_code == 500
    assert "Le site ne répond pas" in html
    assert not re.search(r"<(script|img)|<link[^>]+href=\"(?!data:)", html)
    style = re.search("<style>(.*?)</style>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert STYLE_OF_500 == f"'sha256-{digest}'"
    assert STYLE_OF_500 in response.headers["Content-Security-Policy"]


def test_a_missing_page_says_what_to_do(client, home):
    response = client.get("/nulle-part/")
    assert response.status_code == 404
    assert "Cette page n’existe pas" in response.content.decode()
    assert "/plan-du-site/" in response.content.decode()


def test_a_stale_form_says_that_nothing_was_saved(home, django_user_model):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("habitante"))
    response = strict.post("/session/prolonger/")
    assert response.status_code == 403
    assert "Rien n’a été enregistré et rien n’a été payé." in response.content.decode()


def test_the_site_map_lists_the_pages(client, home):
    html = client.get("/plan-du-site/").content.decode()
    for word in ("Comment ça marche", "Nous contacter", "Accessibilité"):
        assert word in html


def test_the_interface_speaks_german_under_its_own_address(client, home):
    html = client.get("/de/plan-du-site/").content.decode()
    assert '<html lang="de">' in html
    assert "Seitenübersicht" in html
    assert '<a href="/plan-du-site/" hreflang="fr">Français</a>' in html


def test_the_brand_stylesheet_is_immutable_under_its_digest_only(client, home):
    brand = BrandSettings.for_site(Site.objects.get(is_default_site=True))
    path = f"/theme-{brand.digest}.css"
    assert path in client.get("/").content.decode()
    fresh = client.get(path)
    assert fresh.headers["Content-Type"].startswith("text/css")
    assert "immutable" in fresh.headers["Cache-Control"]
    assert "cookie" not in fresh.headers.get("Vary", "").lower()
    assert "immutable" not in client.get("/theme-000000000000.css").headers["Cache-Control"]


def test_an_unreadable_brand_colour_is_corrected_and_said_to_the_editor(admin_client, client, home):
    site = Site.objects.get(is_default_site=True)
    brand = BrandSettings.for_site(site)
    address = f"/admin/settings/abonde_theme/brandsettings/{site.pk}/"
    form = {
        "name": "Okoté",
        "colour": "#ffcc00",
        "citizens_colour": "#0b4f9e",
        "company_colour": "#b3540a",
        "authority_colour": "#0f6b4a",
        "foundation_colour": "#7b3fa0",
        "radius": "0.25rem",
    }
    response = admin_client.post(address, form, follow=True)
    brand = BrandSettings.objects.get(site=site)
    assert brand.colour == "#ffcc00"
    said = response.content.decode()
    assert "trop faible. Nous utiliserons #" in said
    css = client.get(f"/theme-{brand.digest}.css").content.decode()
    assert "--pb-brand:#ffcc00" not in css
    assert "--pb-brand-dark:#ffcc00" in css  # eleven to one on the dark page: kept


def test_a_colour_that_is_not_a_colour_never_reaches_the_style_sheet(admin_client, home):
    site = Site.objects.get(is_default_site=True)
    BrandSettings.for_site(site)
    address = f"/admin/settings/abonde_theme/brandsettings/{site.pk}/"
    response = admin_client.post(address, {"name": "x", "colour": "red}body{x", "radius": "0"})
    assert response.status_code == 200
    assert BrandSettings.objects.get(site=site).colour == "#0b4f9e"


def test_the_gallery_is_closed_on_a_real_site_except_to_its_editors(client, admin_client, home, settings):
    settings.ABONDE_SIMULATION = False
    assert client.get("/_pb/etats/").status_code == 404
    assert client.get("/_pb/etats/boutons/").status_code == 404
    assert admin_client.get("/_pb/etats/").status_code == 200


def test_a_session_can_be_prolonged_by_its_owner_only(client, home):
    assert client.post("/session/prolonger/").status_code == 403
    user = get_user_model().objects.create_user("habitante")
    client.force_login(user)
    html = client.get("/").content.decode()
    assert re.search(r'data-pb-session="3[0-9]{3}"', html)
    answer = client.post("/session/prolonger/", headers={"Accept": "application/json"})
    assert answer.json() == {"seconds": 3600}


def test_a_resident_never_loads_the_editors_bar(client, admin_client, home):
    client.force_login(get_user_model().objects.create_user("habitante"))
    assert "wagtail-userbar" not in client.get("/").content.decode()
    assert "wagtail-userbar" in admin_client.get("/").content.decode()


def test_amounts_are_written_as_people_read_them():
    def shown(cents):
        return Template("{% load theme_tags %}{{ cents|euros }}").render(Context({"cents": cents}))

    assert shown(2000) == "20\xa0€"
    assert shown(123450) == "1\xa0234,50\xa0€"
    assert shown(5) == "0,05\xa0€"
    assert shown(-150) == "-1,50\xa0€"
    assert shown(None) == ""
    assert shown(10**11) == "1\xa0000\xa0000\xa0000\xa0€"
