"""Dossiers on the private storage: what is published is written once, under a name made of its content."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import storages
from django.utils.translation import gettext as _

from defis.rules import canonical, rules_of
from defis.services import Refused
from fundmatch.engine import DossierError, InputError
from fundmatch.engine.dossier import DossierInfo, write_dossier
from fundmatch.models import MatchRun, Publication
from fundmatch.shares import Shares, content_of
from fundmatch.snapshots import Picture

#: a project with fewer givers than this: its figures say too much about each of them
FEW_DONORS = 5


def public_digests(picture: Picture, result: dict[str, Any], *, donor_key: bytes) -> dict[str, str]:
    """Return the digests of the form in which these gifts may be published, before anybody signs them.

    Keys: form, input_sha256, result_sha256, merkle_root. Raises Refused("dossier").
    """
    with tempfile.TemporaryDirectory() as folder:
        info = _write(
            Path(folder) / "dossier.zip", picture.value, result, references=picture.references, key=donor_key
        )
    return {
        "form": info.form,
        "input_sha256": info.input_sha256,
        "result_sha256": info.result_sha256,
        "merkle_root": info.merkle_root,
    }


def store_dossier(run: MatchRun, shares: Shares, *, version: int, reason: str) -> tuple[str, DossierInfo]:
    """Write the dossier of a signed run on the private storage; return its name and what it says.

    The name carries the digest of the content: written twice, it is the same file. Nothing links to it until
    the publication's transaction commits. Raises Refused("dossier") when it would not say what was signed.
    """
    campaign = run.campaign
    about = {
        "campaign": campaign.name,
        "reference": campaign.reference,
        "fund": campaign.fund.name,
        "version": version,
        "reason": reason,
        "content": content_of(run, shares),
        "signatures": [
            {
                "side": signature.side,
                "name": str(signature.signed_by.get_full_name() or signature.signed_by.get_username()),
                "signed_at": signature.signed_at.isoformat(),
                "content_sha256": signature.content_sha256,
            }
            for signature in run.signatures.select_related("signed_by").order_by("signed_at")
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dossier.zip"
        info = _write(
            path,
            run.read_input(),
            run.result,
            references=run.read_references(),
            key=bytes(run.donor_key),
            rules_text=rules_text(run),
            title=f"{campaign.fund.name} – {campaign.name}",
            about=about,
            form=run.public["form"],
        )
        if {key: getattr(info, key) for key in run.public} != run.public:
            raise Refused("dossier", _("The dossier would not say what was signed. Calculate again."))
        name = f"dossiers/{campaign.reference}/{info.sha256}.zip"
        storage = storages["private"]
        if not storage.exists(name):
            with path.open("rb") as file:
                name = storage.save(name, File(file))
    return name, info


def rules_text(run: MatchRun) -> str:
    """Return the frozen rules as the dossier shows them: canonical JSON of the version that the run names."""
    version = run.campaign.rules_versions.filter(sha256=run.rules_sha256).order_by("-version").first()
    rules = version.rules if version is not None else rules_of(run.campaign)
    return canonical(rules).decode()


def open_dossier(publication: Publication) -> File:
    """Open a published dossier. Raises FileNotFoundError."""
    return storages["private"].open(publication.dossier)


def dossier_is_intact(publication: Publication) -> bool:
    """Return whether the stored file still has the digest that was published."""
    try:
        with open_dossier(publication) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == publication.dossier_sha256
    except FileNotFoundError:
        return False


def receipt_text(receipt: dict[str, Any]) -> str:
    """Return a receipt as the file that `python -m fundmatch verify --receipt` reads."""
    return json.dumps(receipt, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _write(
    path: Path,
    value: dict[str, Any],
    result: dict[str, Any],
    *,
    references: list[str],
    key: bytes,
    rules_text: str = "",
    title: str = "fundmatch",
    about: dict[str, Any] | None = None,
    form: str = "auto",
) -> DossierInfo:
    try:
        return write_dossier(
            path,
            value,
            result,
            rules_text=rules_text,
            key=key,
            references=references,
            title=title,
            about=about,
            form=form,
        )
    except (InputError, DossierError, ValueError) as error:
        raise Refused("dossier", _("The dossier cannot be written: %(error)s") % {"error": error}) from error
