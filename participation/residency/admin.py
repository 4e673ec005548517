"""Screens of the agents: counter, letters, lists, checks of declarations. Another territory's people do not exist."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from wagtail.log_actions import log

from defis.clock import database_now
from defis.models import Campaign, Commune, Fund, Role, Territory
from defis.permissions import funds_for
from participation.residency import audits, counters, letters, lists
from participation.residency.models import (
    LetterBatch,
    ResidencyAudit,
    ResidencyAuditCase,
    ResidencyLetter,
    ResidencyProof,
    ResidentList,
)
from participation.residency.services import Method, ResidenceRefused, Result, withdraw_proof

AGENTS = (Role.COUNTER, Role.ADMINISTRATOR)
HEADS = (Role.ADMINISTRATOR,)
READERS = (Role.ADMINISTRATOR, Role.AUDITOR)
MAX_FILE_BYTES = 20_000_000

# What these screens write in Wagtail's audit log.
ACTIONS = {
    "abonde.residence.see": (
        gettext_lazy("Record what was seen"),
        gettext_lazy("Papers seen at the counter"),
    ),
    "abonde.residence.confirm": (gettext_lazy("Confirm a residence"), gettext_lazy("Residence confirmed")),
    "abonde.residence.refuse": (gettext_lazy("Refuse a residence"), gettext_lazy("Residence refused")),
    "abonde.residence.revoke": (gettext_lazy("Revoke a residence"), gettext_lazy("Residence revoked")),
    "abonde.residence.print": (gettext_lazy("Print letters"), gettext_lazy("Letters printed")),
    "abonde.residence.list": (gettext_lazy("Import a list of residents"), gettext_lazy("List imported")),
    "abonde.residence.draw": (gettext_lazy("Draw declarations"), gettext_lazy("Declarations drawn")),
    "abonde.residence.contact": (
        gettext_lazy("Write to drawn residents"),
        gettext_lazy("Residents written to"),
    ),
}


def territories_for(user: Any, *roles: Role) -> QuerySet[Territory]:
    """Territories of the funds where the user has one of these roles."""
    return Territory.objects.filter(pk__in=funds_for(user, *roles).values("territory"))


def _territories(request: HttpRequest, *roles: Role) -> QuerySet[Territory]:
    found = territories_for(request.user, *roles)
    if not found.exists():
        raise PermissionDenied
    return found


def _page(request: HttpRequest, name: str, title: Any, status: int = 200, **context: Any) -> HttpResponse:
    root = [
        {"url": reverse("wagtailadmin_home"), "label": _("Home")},
        {"url": reverse("abonde_residency_admin:index"), "label": _("Residence")},
    ]
    here = [] if name == "index" else [{"url": "", "label": str(title)}]
    return render(
        request,
        f"participation/residency/admin/{name}.html",
        {
            "page_title": title,
            "header_title": title,
            "header_icon": "home",
            "breadcrumbs_items": root + here,
            "may_head": territories_for(request.user, *HEADS).exists(),
            "may_read_checks": territories_for(request.user, *READERS).exists(),
            "may_see": territories_for(request.user, *AGENTS).exists(),
            **context,
        },
        status=status,
    )


@never_cache
@require_http_methods(["GET"])
def index(request: HttpRequest) -> HttpResponse:
    """What waits, by territory."""
    territories = _territories(request, *AGENTS, Role.AUDITOR)
    rows = [
        {
            "territory": territory,
            "letters": _waiting_letters().filter(territory=territory).count(),
            "tickets": _waiting_tickets().filter(territory=territory, checked_by__isnull=False).count(),
            "cases": ResidencyAuditCase.objects.filter(
                audit__campaign__fund__territory=territory, outcome="waiting", proof__isnull=False
            ).count(),
        }
        for territory in territories
    ]
    return _page(request, "index", _("Residence"), rows=rows)


# --- Counter --------------------------------------------------------------------------------------------
def _waiting_tickets() -> QuerySet[ResidencyProof]:
    return ResidencyProof.objects.filter(
        method=Method.COUNTER, result=Result.PENDING, expires_at__gt=database_now()
    )


class SightForm(forms.Form):
    """What the first agent saw."""

    commune = forms.ModelChoiceField(queryset=Commune.objects.none(), label=gettext_lazy("Commune"))
    postal_code = forms.CharField(label=gettext_lazy("Postal code"), max_length=5, min_length=5)
    age_seen = forms.TypedChoiceField(
        label=gettext_lazy("Age seen on the paper"), coerce=int, empty_value=None, required=False
    )
    seen = forms.BooleanField(
        label=gettext_lazy(
            "I have seen a proof of identity in this name, and a proof of address of less than 3 months."
        )
    )

    def __init__(self, *args: Any, territory: Territory, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["commune"].queryset = territory.communes.all()  # type: ignore[attr-defined]
        limits = Campaign.objects.filter(fund__territory=territory, published_at__isnull=True)
        ages = sorted({age for age in limits.values_list("minimum_age", flat=True) if age})
        self.fields["age_seen"].choices = [  # type: ignore[attr-defined]
            ("", _("not looked at")),
            *[(age, _("%(age)s years or more") % {"age": age}) for age in ages],
        ]


@never_cache
@require_http_methods(["GET"])
def counter(request: HttpRequest) -> HttpResponse:
    """Find a resident by the number she says; what waits for a second agent."""
    territories = _territories(request, *AGENTS)
    number = request.GET.get("numero", "").strip()
    error = ""
    if number:
        try:
            ticket = counters.ticket_numbered(number, territories)
            return redirect("abonde_residency_admin:ticket", ticket.pk)
        except ResidenceRefused as refusal:
            error = refusal.message
    waiting = _waiting_tickets().filter(territory__in=territories, checked_by__isnull=False)
    return _page(
        request,
        "counter",
        _("Counter"),
        number=number,
        error=error,
        waiting=waiting.select_related("person", "territory", "commune", "checked_by"),
        status=404 if error else 200,
    )


@never_cache
@require_http_methods(["GET", "POST"])
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    """One resident at the counter: seen by one agent, confirmed by another, or turned down."""
    found = get_object_or_404(
        _waiting_tickets().select_related("person", "territory", "checked_by"),
        pk=pk,
        territory__in=_territories(request, *AGENTS),
    )
    act = request.POST.get("act", "")
    form = SightForm(request.POST if act == "see" else None, territory=found.territory)
    try:
        if act == "see" and form.is_valid():
            counters.record_sight(
                ticket=found,
                commune=form.cleaned_data["commune"],
                postal_code=form.cleaned_data["postal_code"],
                age_seen=form.cleaned_data["age_seen"],
                by=request.user,
            )
            return _done(request, found, "see", _("Recorded. Another agent must confirm."), "counter")
        if act == "confirm":
            counters.confirm_sight(ticket=found, by=request.user)
            return _done(request, found, "confirm", _("The residence is confirmed."), "counter")
        if act == "refuse":
            counters.turn_down(ticket=found, by=request.user, reason=request.POST.get("reason", ""))
            return _done(request, found, "refuse", _("The residence is refused."), "counter")
    except ResidenceRefused as refusal:
        messages.error(request, refusal.message)
    mine = found.checked_by_id == request.user.pk
    return _page(request, "ticket", _("Counter"), ticket=found, form=form, mine=mine)


def _done(
    request: HttpRequest, instance: Any, action: str, sentence: str, back: str, *args: Any
) -> HttpResponse:
    log(instance=instance, action=f"abonde.residence.{action}", user=request.user)
    messages.success(request, sentence)
    return redirect(f"abonde_residency_admin:{back}", *args)


# --- Letters --------------------------------------------------------------------------------------------
def _waiting_letters() -> QuerySet[ResidencyLetter]:
    return ResidencyLetter.objects.filter(batch__isnull=True, used_at__isnull=True, cancelled_at__isnull=True)


@never_cache
@require_http_methods(["GET"])
def letter_desk(request: HttpRequest) -> HttpResponse:
    """Letters that wait, and earlier batches."""
    territories = _territories(request, *AGENTS)
    waiting = [(t, _waiting_letters().filter(territory=t).count()) for t in territories]
    batches = LetterBatch.objects.filter(territory__in=territories).select_related("territory", "printed_by")
    return _page(request, "letters", _("Letters"), waiting=waiting, batches=batches[:50])


@never_cache
@require_http_methods(["POST"])
def print_letters(request: HttpRequest, pk: int) -> HttpResponse:
    """The print-out: the only place where codes are in clear, this once."""
    territory = get_object_or_404(_territories(request, *AGENTS), pk=pk)
    try:
        batch, printed = letters.print_batch(territory=territory, by=request.user)
    except ResidenceRefused as refusal:
        messages.error(request, refusal.message)
        return redirect("abonde_residency_admin:letters")
    return _print_out(request, batch, printed)


@never_cache
@require_http_methods(["POST"])
def print_letters_again(request: HttpRequest, pk: int) -> HttpResponse:
    """A lost print-out: new codes for those who have not used theirs."""
    batch = get_object_or_404(LetterBatch, pk=pk, territory__in=_territories(request, *AGENTS))
    return _print_out(request, batch, letters.print_again(batch=batch, by=request.user))


def _print_out(
    request: HttpRequest, batch: LetterBatch, printed: list[letters.PrintedLetter]
) -> HttpResponse:
    log(instance=batch, action="abonde.residence.print", user=request.user, data={"letters": len(printed)})
    fund = Fund.objects.select_related("authority").filter(territory=batch.territory).first()
    address = request.build_absolute_uri(
        reverse("abonde_participation:residence", args=[batch.territory.slug])
    )
    context = {"batch": batch, "printed": printed, "fund": fund, "address": address}
    return render(request, "participation/residency/admin/print_out.html", context)


# --- Lists ----------------------------------------------------------------------------------------------
class ListForm(forms.Form):
    """A file of residents, hashed while it is read."""

    territory = forms.ModelChoiceField(queryset=Territory.objects.none(), label=gettext_lazy("Territory"))
    label = forms.CharField(label=gettext_lazy("Which list, and the decision that allows it"), max_length=200)
    days = forms.IntegerField(label=gettext_lazy("Days of validity"), min_value=1, max_value=730, initial=365)
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy(
            "Columns: digest, or nom, prenom, date_naissance. Names are hashed and not kept."
        ),
    )

    def __init__(self, *args: Any, territories: QuerySet[Territory], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["territory"].queryset = territories  # type: ignore[attr-defined]

    def clean_file(self) -> list[str]:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(_("This file is too big (20 MB at most)."))
        try:
            return file.read().decode("utf-8-sig").splitlines(keepends=True)
        except UnicodeDecodeError:
            raise forms.ValidationError(_("Save this file as CSV UTF-8.")) from None


@never_cache
@require_http_methods(["GET", "POST"])
def list_desk(request: HttpRequest) -> HttpResponse:
    """Import a list, forget a list."""
    territories = _territories(request, *HEADS)
    form = ListForm(request.POST or None, request.FILES or None, territories=territories)
    errors: list[tuple[int, str]] = []
    if request.method == "POST" and form.is_valid():
        done = lists.import_list(
            territory=form.cleaned_data["territory"],
            label=form.cleaned_data["label"],
            lines=form.cleaned_data["file"],
            by=request.user,
            expires_at=database_now() + timedelta(days=form.cleaned_data["days"]),
        )
        if done.resident_list is not None:
            sentence = _("%(kept)s residents imported, %(repeated)s repeated lines left out.")
            words = {"kept": done.kept, "repeated": done.repeated}
            return _done(request, done.resident_list, "list", sentence % words, "lists")
        errors = done.errors
    held = ResidentList.objects.filter(territory__in=territories).select_related("territory", "imported_by")
    status = 422 if request.method == "POST" else 200
    return _page(
        request, "lists", _("Lists of residents"), form=form, errors=errors, held=held, status=status
    )


@never_cache
@require_http_methods(["POST"])
def forget_list(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a list; proofs already given keep their own end."""
    held = get_object_or_404(ResidentList, pk=pk, territory__in=_territories(request, *HEADS))
    held.delete()
    messages.success(request, _("The list is removed."))
    return redirect("abonde_residency_admin:lists")


# --- Checks of declarations -------------------------------------------------------------------------------
class DrawForm(forms.Form):
    """How many, until when, with which public seed."""

    campaign = forms.ModelChoiceField(queryset=Campaign.objects.none(), label=gettext_lazy("Campaign"))
    size = forms.IntegerField(
        label=gettext_lazy("How many declarations"), min_value=1, max_value=10_000, initial=20
    )
    days = forms.IntegerField(label=gettext_lazy("Days to answer"), min_value=1, max_value=90, initial=15)
    seed = forms.CharField(
        label=gettext_lazy("Seed"),
        required=False,
        max_length=64,
        help_text=gettext_lazy(
            "A public number, for example that day's lottery: then anybody can repeat the draw."
        ),
    )

    def __init__(self, *args: Any, territories: QuerySet[Territory], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["campaign"].queryset = Campaign.objects.filter(  # type: ignore[attr-defined]
            fund__territory__in=territories, published_at__isnull=True
        )


@never_cache
@require_http_methods(["GET", "POST"])
def audit_desk(request: HttpRequest) -> HttpResponse:
    """Draw declarations; earlier draws."""
    readable = _territories(request, *READERS)
    heads = territories_for(request.user, *HEADS)
    form = DrawForm(request.POST or None, territories=heads)
    if request.method == "POST":
        if not heads.exists():
            raise PermissionDenied
        if form.is_valid():
            try:
                audit = audits.draw_audit(
                    campaign=form.cleaned_data["campaign"],
                    size=form.cleaned_data["size"],
                    by=request.user,
                    answer_before=database_now() + timedelta(days=form.cleaned_data["days"]),
                    seed=form.cleaned_data["seed"],
                )
                return _done(request, audit, "draw", _("The draw is done."), "audit", audit.pk)
            except ResidenceRefused as refusal:
                messages.error(request, refusal.message)
    drawn = ResidencyAudit.objects.filter(campaign__fund__territory__in=readable).select_related("campaign")
    return _page(
        request, "audits", _("Checks of declarations"), form=form, drawn=drawn, may_draw=heads.exists()
    )


@never_cache
@require_http_methods(["GET", "POST"])
def audit_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """One draw: write to everybody, then one outcome each."""
    audit = get_object_or_404(
        ResidencyAudit.objects.select_related("campaign__fund__territory", "drawn_by"),
        pk=pk,
        campaign__fund__territory__in=_territories(request, *READERS),
    )
    may_decide = territories_for(request.user, *HEADS).filter(pk=audit.campaign.fund.territory_id).exists()
    if request.method == "POST":
        if not may_decide:
            raise PermissionDenied
        try:
            _act_on_audit(request, audit)
            return redirect("abonde_residency_admin:audit", audit.pk)
        except ResidenceRefused as refusal:
            messages.error(request, refusal.message)
    cases = audit.cases.select_related("proof__person", "proof__commune")
    page = Paginator(cases, 50).get_page(request.GET.get("p"))
    return _page(request, "audit", _("Check of declarations"), audit=audit, cases=page, may_decide=may_decide)


def _act_on_audit(request: HttpRequest, audit: ResidencyAudit) -> None:
    act = request.POST.get("act", "")
    page = reverse("abonde_participation:residence", args=[audit.campaign.fund.territory.slug])
    if act == "contact":
        waiting = audit.cases.filter(outcome="waiting", contacted_at__isnull=True, proof__isnull=False)
        for case in waiting:
            audits.contact(case=case, path=page)
        log(instance=audit, action="abonde.residence.contact", user=request.user)
        messages.success(request, _("Messages are on their way."))
        return
    case = get_object_or_404(audit.cases, pk=request.POST.get("case") or 0)
    if act == "confirm":
        audits.confirm_case(case=case, by=request.user)
        log(instance=audit, action="abonde.residence.confirm", user=request.user, data={"case": case.pk})
        messages.success(request, _("The residence is confirmed."))
    elif act == "refuse":
        audits.refuse_case(case=case, reason=request.POST.get("reason", ""), by=request.user, path=page)
        log(instance=audit, action="abonde.residence.refuse", user=request.user, data={"case": case.pk})
        messages.success(request, _("The declaration is refused. Refunds are ordered."))


# --- Proofs ---------------------------------------------------------------------------------------------
@never_cache
@require_http_methods(["GET", "POST"])
def proofs(request: HttpRequest) -> HttpResponse:
    """Who proved what; revoke, with a reason, what is no longer true."""
    territories = _territories(request, *READERS)
    held = ResidencyProof.objects.filter(territory__in=territories).select_related(
        "person", "territory", "commune", "checked_by"
    )
    if request.method == "POST":
        heads = territories_for(request.user, *HEADS)
        proof = get_object_or_404(held, pk=request.POST.get("proof") or 0, territory__in=heads)
        reason = request.POST.get("reason", "").strip()
        try:
            if not reason:
                raise ResidenceRefused("reason", _("Write why: the resident will read it."))
            withdraw_proof(proof=proof, result=Result.REVOKED, reason=reason, by=request.user)
            return _done(request, proof, "revoke", _("The proof is revoked."), "proofs")
        except ResidenceRefused as refusal:
            messages.error(request, refusal.message)
    wanted = request.GET.get("q", "").strip()
    if wanted:
        held = held.filter(person__display_name__icontains=wanted)
    page = Paginator(held, 50).get_page(request.GET.get("p"))
    return _page(request, "proofs", _("Proofs of residence"), proofs=page, wanted=wanted)


app_name = "abonde_residency_admin"
urlpatterns = [
    path("", index, name="index"),
    path("guichet/", counter, name="counter"),
    path("guichet/<int:pk>/", ticket, name="ticket"),
    path("lettres/", letter_desk, name="letters"),
    path("lettres/<int:pk>/imprimer/", print_letters, name="print"),
    path("lettres/lot/<int:pk>/reimprimer/", print_letters_again, name="print_again"),
    path("listes/", list_desk, name="lists"),
    path("listes/<int:pk>/oublier/", forget_list, name="forget_list"),
    path("controles/", audit_desk, name="audits"),
    path("controles/<int:pk>/", audit_sheet, name="audit"),
    path("preuves/", proofs, name="proofs"),
]
