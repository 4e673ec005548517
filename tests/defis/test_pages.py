from decimal import Decimal  # noqa: F401

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db


def queries_of(client, url) -> list[str]:
    client.get(url)  # fills what lives longer than a request
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(url)
    assert response.status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def test_list(client, world, tree):
    for _ in range(3):
        tree.add_project(world.make_project())
    tree.add_defi(world)
    tree.add_fund(world)
    for url in (
        "/",
        "/projets/",
        "/defis/",
        "/fonds/",
        f"/defis/{world.defi.slug}/",
        f"/fonds/{world.fund.slug}/",
        tree.projects.get_first_child().url,
    ):
        qs = queries_of(client, url)
        print(url, len(qs))
        for q in qs:
            print("   ", q[:220])
