import pytest

from participation.payments.port import provider_for


@pytest.fixture
def provider(settings):
    """The provider in memory, configured as `memory`."""
    settings.ABONDE_PAYMENT_PROVIDERS = {"memory": {"ADAPTER": "tests.money.world.MemoryProvider"}}
    return provider_for("memory")


@pytest.fixture
def proven(request):
    """After the test, the fifteen invariants hold."""
    yield
    from participation.ledger.proof import prove

    assert [str(proof) for proof in prove(chain=True) if not proof.ok] == []
