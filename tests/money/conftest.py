import pytest

from participation.payments.port import provider_for


@pytest.fixture
def provider(settings):
    """The provider in memory, configured as `memory`."""
    settings.ABONDE_PAYMENT_PROVIDERS = {"memory": {"ADAPTER": "tests.money.world.MemoryProvider"}}
    return provider_for("memory")


@pytest.fixture(autouse=True)
def proven(request):
    """After every test about money, the fifteen invariants hold (unless it breaks one on purpose: `world.unproven`)."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or getattr(request.function, "unproven", False):
        yield
        return
    # Asked for here so that it is undone after us.
    request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    yield
    from participation.ledger.proof import prove

    assert [str(proof) for proof in prove(chain=True) if not proof.ok] == []
