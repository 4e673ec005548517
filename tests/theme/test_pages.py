"""Pages that belong to no domain, as a visitor gets them."""

import re

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _fresh_cache():
    cache.clear()


def test_the_home_page_answers_with_one_heading_and_the_compulsory_mention(client, home):
    html = client.get("/").content.decode()
    assert len(re.findall("<h1", html)) == 1
    assert "Un euro d’habitant en appelle d’autres" in html
    assert '<html lang="fr">' in html
    assert re.search(r'<a href="[^"]*/accessibilite/">[^<]*</a>', html)
