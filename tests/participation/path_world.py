"""What the tests of the contribution path share: an open campaign, a resident, the words of a page."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from defis.clock import database_now, shifted_clock
from defis.models import Campaign, Commune, Project
from participation.identity.models import FederatedIdentity, Person
from participation.residency.services import declare_residence
from tests.participation import identity_world as world

PATH = "/contribuer/jardin/"
NUMBERS = iter(range(1, 10_000))


def open_campaign(**options: Any) -> Campaign:
    """1 € to 100 € per contribution, 200 € per person, rules frozen, money in memory."""
    now = database_now()
    return world.make_campaign(
        world.make_territory(),
        **{
            "collection_provider": "memory",
            "rules_frozen_at": now - timedelta(days=1),
            "rules_sha256": "0" * 64,
            "identity_providers": ["franceconnect"],
            **options,
        },
    )


def resident(*, lives_here: bool = True, age: int | None = 40, provider: str = "franceconnect") -> Person:
    """Somebody known to FranceConnect, who declared to live in Sélestat."""
    number = next(NUMBERS)
    user = get_user_model().objects.create_user(f"resident-{number}", first_name="Claire")
    person = Person.objects.create(
        user=user,
        display_name="Claire Muller",
        email=f"claire{number}@example.org",
        proved_age=age,
        proved_age_at=database_now() if age is not None else None,
    )
    FederatedIdentity.objects.create(
        person=person, provider=provider, issuer="https://fc.example", subject=f"s{number}"
    )
    if lives_here:
        commune = Commune.objects.get(insee=world.SELESTAT)
        declare_residence(
            person=person, territory=commune.territories.get(), commune=commune, postal_code="67600"
        )
    return person


def browser_of(person: Person) -> Client:
    client = Client()
    client.force_login(person.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def choose(client: Client, amount: str = "20", **fields: str) -> Any:
    """Step 1: what the amount form sends."""
    return client.post(PATH, {"montant": amount, "afficher": "non", "nom_public": "", **fields})


def seal_on(client: Client) -> str:
    """The check page's sealed form."""
    page = client.get(f"{PATH}verifier/")
    assert page.status_code == 200, page.content.decode()
    found = re.search(r'name="sceau" value="([^"]+)"', page.content.decode())
    assert found
    return unescape(found.group(1))


def pay(client: Client, seal: str | None = None) -> Any:
    """Step 3: the last button."""
    return client.post(f"{PATH}payer/", {"sceau": seal or seal_on(client)})


def words(response: Any) -> str:
    """What one reads of a page: tags out, entities and no-break spaces in."""
    text = re.sub(r"<(script|style|template).*?</\1>", " ", response.content.decode(), flags=re.S)
    text = unescape(re.sub(r"<[^>]+>", " ", text)).replace("\xa0", " ").replace("\u202f", " ")
    return re.sub(r"\s+", " ", text)


def field_error(response: Any, field: str) -> str:
    """The sentence next to a field, as the page shows it and as the field is linked to it."""
    html = response.content.decode()
    found = re.search(rf'id="id_{field}_error">(.*?)</p>', html, re.S)
    if not found:
        return ""
    assert re.search(rf'aria-describedby="[^"]*id_{field}_error', html)
    sentence = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", found.group(1)))).strip()
    assert sentence.startswith("Erreur :") or sentence.startswith("Erreur\xa0:")
    sentence = re.sub(r"^Erreur\s:\s*", "", sentence).replace("\xa0", " ")
    assert sentence in words(response).replace("Erreur :", "", 1)
    return sentence


def project_of(campaign: Campaign) -> Project:
    return world.make_project(campaign, "jardin")


def world_clock_after(campaign: Campaign) -> Any:
    """One second after the bell."""
    return shifted_clock(campaign.closes_at - database_now() + timedelta(seconds=1))
