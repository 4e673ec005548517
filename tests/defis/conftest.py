from datetime import timedelta

import pytest

from defis.clock import database_now
from tests.defis.world import Tree, World, make_tree, make_world


@pytest.fixture
def world(db) -> World:
    """An open campaign without projects."""
    return make_world()


@pytest.fixture
def submissions(db) -> World:
    """A campaign whose holders may send their projects."""
    now = database_now()
    return make_world(
        submissions_open_at=now - timedelta(days=5),
        submissions_close_at=now + timedelta(days=20),
        opens_at=now + timedelta(days=40),
        closes_at=now + timedelta(days=90),
        results_at=now + timedelta(days=95),
    )


@pytest.fixture
def tree(db) -> Tree:
    """The site's pages, as the demonstration has them: /, /defis/, /fonds/, /projets/."""
    return make_tree()
