"""What every page repeats is remembered a few seconds, and forgotten when an editor changes it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from wagtail.models import Site

from tests.defis.world import make_tree
from theme import memory
from theme.models import BrandSettings


@pytest.mark.django_db
def test_a_saved_brand_shows_at_once(client):
    make_tree()
    brand = BrandSettings.for_site(Site.objects.get(is_default_site=True))
    brand.name = "Premier nom"
    brand.save()
    assert "Premier nom" in client.get("/projets/").content.decode()
    brand.name = "Second nom"
    brand.save()
    assert "Second nom" in client.get("/projets/").content.decode()


@pytest.mark.django_db
def test_a_renamed_or_removed_section_leaves_the_menu_at_once(client):
    tree = make_tree()
    assert "Fonds</a>" in client.get("/projets/").content.decode()
    tree.funds.title = "Fonds territoriaux"
    tree.funds.save_revision().publish()
    assert "Fonds territoriaux</a>" in client.get("/projets/").content.decode()
    tree.funds.delete()
    assert "/fonds/" not in client.get("/projets/").content.decode()


@pytest.mark.django_db
def test_it_is_read_again_after_a_few_seconds(client, monkeypatch):
    make_tree()
    clock = [1000.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: clock[0])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/projets/")
        return len(captured)

    queries()
    warm = queries()
    clock[0] += memory.SECONDS + 1
    assert queries() > warm
    assert queries() == warm


def test_memory_stays_small():
    memory.forget()
    for number in range(memory.MOST * 2):
        memory.remembered(number, lambda: "x")
    assert len(memory._known) <= memory.MOST
