"""Communes as INSEE knows them, from a file of Etalab's form."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.listing import plain
from defis.models import Commune
from defis.services.refusals import Refused

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "communes_alsace.json"
FIELDS = ("name", "sort_name", "department", "postal_codes", "population", "epci_code", "epci_name")


def load_communes(*, path: Path = SHIPPED) -> int:
    """Create or bring up to date the communes of a file, by INSEE code; returns how many. Idempotent.

    Raises Refused("file") that names the line which cannot be read.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(
            "file", _("%(path)s cannot be read: %(error)s") % {"path": path, "error": error}
        ) from error
    communes = []
    for number, row in enumerate(rows, start=1):
        try:
            communes.append(_commune(row))
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused(
                "file",
                _("%(path)s, item %(number)d: %(error)s")
                % {"path": path.name, "number": number, "error": repr(error)},
            ) from error
    with transaction.atomic():
        Commune.objects.bulk_create(
            communes,
            update_conflicts=True,
            unique_fields=["insee"],
            update_fields=list(FIELDS),
            batch_size=500,
        )
    return len(communes)


def _commune(row: dict[str, Any]) -> Commune:
    epci = row.get("epci") or {}
    return Commune(
        insee=row["insee"],
        name=row["nom"],
        sort_name=plain(row["nom"])[:120],
        department=row["departement"],
        postal_codes=list(row["codesPostaux"]),
        population=row.get("population"),
        epci_code=epci.get("code", ""),
        epci_name=epci.get("nom", ""),
    )
