"""What the tests about people share: a small territory, a campaign, a browser that goes through the stand-in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from django.core.cache import cache
from django.test import Client

from defis.clock import database_now
from defis.models import Campaign, Commune, Defi, Fund, Holder, Organisation, Project, Territory
from standins.franceconnect import STANDIN_CLIENT, FranceConnectStandin, serve

SELESTAT, SCHERWILLER, COLMAR = "67462", "67445", "68066"


def make_territory() -> Territory:
    """Sélestat and Scherwiller share a postal code; Colmar has several; Lyon is elsewhere."""
    territory = Territory.objects.create(name="Alsace centrale", slug="alsace-centrale")
    for insee, name, codes in [
        (SELESTAT, "Sélestat", ["67600"]),
        (SCHERWILLER, "Scherwiller", ["67600", "67750"]),
        (COLMAR, "Colmar", ["68000", "68025"]),
    ]:
        commune = Commune.objects.create(
            insee=insee, name=name, sort_name=name.lower(), department=insee[:2], postal_codes=codes
        )
        territory.communes.add(commune)
    Commune.objects.create(
        insee="69383", name="Lyon 3e", sort_name="lyon 3e", department="69", postal_codes=["69003"]
    )
    return territory


def make_campaign(territory: Territory, slug: str = "printemps", **options: Any) -> Campaign:
    """A campaign open since yesterday, for a month."""
    town, _ = Organisation.objects.get_or_create(name="Ville de Sélestat", kind="authority")
    foundation, _ = Organisation.objects.get_or_create(name="Fondation du Ried", kind="foundation")
    fund, _ = Fund.objects.get_or_create(
        slug="fonds-du-ried",
        defaults={
            "name": "Fonds du Ried",
            "territory": territory,
            "foundation": foundation,
            "authority": town,
            "legal_holder": foundation,
        },
    )
    now = database_now()
    options = {
        "name": slug.title(),
        "announced_at": now - timedelta(days=30),
        "opens_at": now - timedelta(days=1),
        "closes_at": now + timedelta(days=30),
        "min_contribution_cents": 100,
        "max_contribution_cents": 10_000,
        "max_per_person_cents": 20_000,
        **options,
    }
    return Campaign.objects.create(fund=fund, slug=slug, **options)


def make_project(campaign: Campaign, slug: str = "jardin") -> Project:
    defi, _ = Defi.objects.get_or_create(name="Nature en ville", slug="nature")
    campaign.defis.add(defi)
    holder, _ = Holder.objects.get_or_create(
        name="Les Voisins", legal_form="association", email="voisins@example.org"
    )
    return Project.objects.create(
        campaign=campaign,
        defi=defi,
        holder=holder,
        title=slug.title(),
        slug=slug,
        summary="Un jardin.",
        goal_cents=500_000,
        status=Project.Status.PRESELECTED,
    )


@contextmanager
def franceconnect(settings: Any, **options: Any) -> Iterator[FranceConnectStandin]:
    """The stand-in on a free port, and the site set up for it, asking for the whole identité pivot."""
    with serve(origins=["http://testserver"], **options) as standin:
        client_id, secret = STANDIN_CLIENT
        settings.ABONDE_IDENTITY_PROVIDERS = {
            **settings.ABONDE_IDENTITY_PROVIDERS,
            "franceconnect": {
                "ISSUER": standin.issuer,
                "CLIENT_ID": client_id,
                "CLIENT_SECRET": secret,
                "SCOPES": "openid identite_pivot preferred_username email",
                "SIMULATION": True,
                "TIMEOUT": (1.0, 1.0),
            },
        }
        cache.clear()
        yield standin


def leave(client: Client, provider: str = "franceconnect", **query: str) -> str:
    """Press « Se connecter »: where the browser is sent."""
    response = client.get(f"/connexion/{provider}/", query)
    assert response.status_code == 302, response.content
    return response["Location"]


def identify(address: str, who: str, fault: str = "", **form: str) -> str:
    """Be somebody at the stand-in: where the browser is sent back."""
    page = requests.get(address, timeout=5)
    assert page.status_code == 200, page.text
    uid = re.search(r'name="uid" value="([^"]+)"', page.text)
    assert uid
    parts = urlsplit(page.url)
    choose = f"{parts.scheme}://{parts.netloc}/api/v2/choose"
    sent = {"uid": uid.group(1), "who": who, "fault": fault, **form}
    back = requests.post(choose, data=sent, allow_redirects=False, timeout=5)
    assert back.status_code == 303, back.text
    return back.headers["Location"]


def come_back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def sign_in(client: Client, who: str = "claire", fault: str = "", **query: str) -> Any:
    """The whole way: our page, the stand-in, our callback's answer."""
    return come_back(client, identify(leave(client, **query), who, fault))


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def problem_of(response: Any) -> str:
    """The code of the problem that a page tells, "" when it tells none."""
    found = re.search(r'data-problem="([a-z_]+)"', response.content.decode())
    return found.group(1) if found else ""
