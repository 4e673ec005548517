import json

import pytest
from django.core.management import CommandError, call_command

from defis.models import Commune


@pytest.mark.django_db
def test_the_shipped_territory_loads_twice_without_a_difference(capsys):
    call_command("load_communes")
    first = list(Commune.objects.order_by("insee").values())
    call_command("load_communes")
    assert list(Commune.objects.order_by("insee").values()) == first
    assert "880 communes" in capsys.readouterr().out
    selestat = Commune.objects.get(insee="67462")
    assert (selestat.name, selestat.sort_name, selestat.department) == ("Sélestat", "selestat", "67")
    assert selestat.postal_codes == ["67600"]


@pytest.mark.django_db
@pytest.mark.parametrize("content", ["{", '[{"insee": "67001"}]', '[{"insee": "67001", "nom": 3}]'])
def test_a_file_of_another_form_is_refused_and_loads_nothing(tmp_path, content):
    path = tmp_path / "communes.json"
    path.write_text(content)
    with pytest.raises(CommandError):
        call_command("load_communes", file=path)
    assert not Commune.objects.exists()


@pytest.mark.django_db
def test_another_territory_is_another_file(tmp_path):
    path = tmp_path / "communes.json"
    row = {"insee": "29019", "nom": "Brest", "departement": "29", "codesPostaux": ["29200"]}
    path.write_text(json.dumps([row]))
    call_command("load_communes", file=path)
    assert Commune.objects.get().epci_name == ""
