"""Results, dossiers, receipts and open data: read by anybody, the same for everybody."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from defis.models import Campaign
from fundmatch.dossiers import open_dossier, receipt_text
from fundmatch.models import Publication
from fundmatch.opendata import files, pabulib, scdl
from fundmatch.receipts import ReceiptUnknown, find_receipt
from fundmatch.selectors import latest_publication, publications_of, published_campaigns
from fundmatch.telling import results_context, results_url, scdl_state
from theme.components import Link

_TABLES = {
    "projets.csv": (files.PROJECTS, files.project_rows),
    "financements.csv": (files.PAYMENTS, files.payment_rows),
    "communes.csv": (files.COMMUNES, files.commune_rows),
}


def published(slug: str) -> Publication:
    """Return the version in force of a campaign. Raises Http404 where nothing is published."""
    campaign = Campaign.objects.filter(slug=slug, published_at__isnull=False).first()
    publication = latest_publication(campaign) if campaign is not None else None
    if publication is None:
        raise Http404
    return publication


@require_safe
def version(request: HttpRequest, campaign: str, version: int) -> HttpResponse:
    """Show one version as it was published; a later one is announced at the top."""
    shown = _version(campaign, version)
    context = results_context(shown.campaign, base_url=request.path, publication=shown)
    context |= {"title": shown.campaign.name, "breadcrumb": _breadcrumb(shown.campaign)}
    return render(request, "fundmatch/results_version.html", context)


@require_safe
@cache_control(public=True, max_age=31536000, immutable=True)
def dossier(request: HttpRequest, campaign: str, version: int) -> FileResponse:
    """Download a version's dossier; its address never says anything else."""
    shown = _version(campaign, version)
    try:
        file = open_dossier(shown)
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(
        file,
        as_attachment=True,
        filename=f"{shown.campaign.slug}-v{shown.version}.zip",
        content_type="application/zip",
    )
    response["ETag"] = f'"{shown.dossier_sha256}"'
    return response


@require_safe
def receipt(request: HttpRequest, campaign: str) -> HttpResponse:
    """Prove that the contribution of a receipt is in the published root, without showing anyone else's."""
    publication = published(campaign)
    code = request.GET.get("code", "").strip().upper()
    context: dict[str, Any] = {
        "publication": publication,
        "campaign": publication.campaign,
        "code": code,
        "results_url": results_url(publication.campaign),
        "breadcrumb": _breadcrumb(publication.campaign),
    }
    if code:
        try:
            context["receipt"] = find_receipt(publication, code)
        except ReceiptUnknown:
            context["error"] = _("We do not find this code in this campaign. Check its ten characters.")
    response = render(request, "fundmatch/receipt.html", context, status=404 if "error" in context else 200)
    # The code is a secret of its owner: no cache keeps the page, no other site learns its address.
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
def receipt_file(request: HttpRequest, campaign: str, code: str) -> HttpResponse:
    """Download the receipt that `python -m fundmatch verify --receipt` checks."""
    publication = published(campaign)
    try:
        found = find_receipt(publication, code.upper())
    except ReceiptUnknown as error:
        raise Http404 from error
    response = HttpResponse(receipt_text(found.json), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="recu-{found.reference}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def data_index(request: HttpRequest) -> HttpResponse:
    """List what is open, campaign by campaign."""
    publications = published_campaigns()
    context = {
        "publications": [(p, reverse("abonde_fundmatch:data", args=[p.campaign.slug])) for p in publications],
        "licence": files.LICENCE,
    }
    return render(request, "fundmatch/data_index.html", context)


@require_safe
def data(request: HttpRequest, campaign: str) -> HttpResponse:
    """List the files of a campaign, with what each column means."""
    publication = published(campaign)
    context = {
        "publication": publication,
        "campaign": publication.campaign,
        "files": data_files(publication),
        "tables": [files.PROJECTS, files.PAYMENTS, files.COMMUNES],
        "scdl": scdl_state(publication),
        "results_url": results_url(publication.campaign),
        "licence": files.LICENCE,
        "breadcrumb": [Link(_("Open data"), reverse("abonde_fundmatch:data_index"))],
    }
    return render(request, "fundmatch/data.html", context)


@require_safe
def data_file(request: HttpRequest, campaign: str, name: str) -> HttpResponse:
    """Serve one file of the open data, from the version in force."""
    publication = published(campaign)
    if name in _TABLES:
        table, rows = _TABLES[name]
        response = _csv(table.csv(rows(publication)))
    elif name == "subventions-scdl.csv":
        try:
            grants = scdl.scdl_rows(publication)
        except scdl.NotExportable as error:
            raise Http404 from error
        if not grants:
            raise Http404
        response = _csv(scdl.TABLE.csv(grants))
    elif name == "datapackage.json":
        response = JsonResponse(
            files.datapackage(publication), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
    elif name == f"{publication.campaign.slug}.pb":
        try:
            text = pabulib.pb_text(publication)
        except (pabulib.NotPublishable, FileNotFoundError) as error:
            raise Http404 from error
        response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    else:
        raise Http404
    # Reusers' programs read from anywhere; a correction shows within minutes.
    response["Access-Control-Allow-Origin"] = "*"
    response["Cache-Control"] = "public, max-age=300"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def data_files(publication: Publication) -> list[tuple[str, str, str]]:
    """Return (file name, title, address) of every file of a publication."""
    slug = publication.campaign.slug
    names = [(name, table.title) for name, (table, _rows) in _TABLES.items()]
    if files.is_scdl_ready(publication):
        names.append(("subventions-scdl.csv", scdl.TABLE.title))
    if publication.lists_gifts:
        names.append((f"{slug}.pb", _("The round as a Pabulib file (cumulative votes)")))
    names.append(("datapackage.json", _("Description of the files (Frictionless Data)")))
    return [(name, title, reverse("abonde_fundmatch:data_file", args=[slug, name])) for name, title in names]


def _csv(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/csv; charset=utf-8; header=present")


def _version(slug: str, number: int) -> Publication:
    campaign = Campaign.objects.filter(slug=slug).first()
    found = publications_of(campaign).filter(version=number).first() if campaign is not None else None
    if found is None:
        raise Http404
    return found


def _breadcrumb(campaign: Campaign) -> list[Link]:
    return [Link(_("Results: %(campaign)s") % {"campaign": campaign.name}, results_url(campaign))]
