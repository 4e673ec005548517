"""The campaign's desk: ready to open?, money, selection, changes of the rules."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from wagtail.admin import messages as wagtail_messages
from wagtail.permissions import policy_registry

from defis.forms.admin import PotFormSet, ReasonForm, changes_of
from defis.models import Campaign, Pledge, Pot, Project, RuleChange
from defis.models.organisations import ENDOWMENT_REFUSAL
from defis.permissions import EDITORS, MONEY, Role, has_role, roles_of
from defis.rules import opening_checklist
from defis.selectors import calendar_of, pending_decisions, phase_of
from defis.services import (
    Refused,
    announce_campaign,
    ask_rule_change,
    cancel_project,
    change_rules,
    ensure_rules_frozen,
    publish_selection,
    refuse_rule_change,
)

HOME = {"url": "/", "label": ""}


def _own(request: HttpRequest, model: Any, pk: int, action: str = "view") -> Any:
    """A record of the user's funds, or 404."""
    policy = policy_registry.get_by_type(model)
    return get_object_or_404(policy.instances_user_has_any_permission_for(request.user, [action]), pk=pk)


def crumbs(*items: tuple[str, str]) -> list[dict[str, str]]:
    """Breadcrumb of an admin screen; the last item is the present screen."""
    return [
        {"url": reverse("wagtailadmin_home"), "label": _("Home")},
        *({"url": url, "label": label} for url, label in items),
    ]


def _campaign_crumbs(campaign: Campaign, here: str) -> list[dict[str, str]]:
    return crumbs(
        (reverse("abonde_campaigns:index"), _("Campaigns")),
        (reverse("abonde_defis_admin:campaign_desk", args=[campaign.pk]), campaign.name),
        ("", here),
    )


@require_http_methods(["GET"])
def desk(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a campaign stands, and the next act of each role."""
    campaign = _own(request, Campaign, pk)
    try:
        campaign = ensure_rules_frozen(campaign=campaign)
    except Refused:
        pass  # the checklist below says why
    pending = pending_decisions(campaign)
    editor = has_role(request.user, campaign.fund, *EDITORS)
    return render(
        request,
        "defis/admin/desk.html",
        {
            "campaign": campaign,
            "phase": phase_of(campaign),
            "calendar": calendar_of(campaign),
            "checks": opening_checklist(campaign),
            "versions": campaign.rules_versions.select_related("requested_by", "signed_by"),
            "changes": campaign.rule_changes.select_related("requested_by", "decided_by")[:10],
            "pending": pending
            if has_role(request.user, campaign.fund, *EDITORS, Role.FOUNDATION, Role.AUDITOR)
            else [],
            "may_edit": editor,
            "may_publish": editor and pending and all(d.decided_by_id != request.user.pk for d in pending),
            "page_title": campaign.name,
            "header_title": campaign.name,
            "header_icon": "date",
            "breadcrumbs_items": crumbs(
                (reverse("abonde_campaigns:index"), _("Campaigns")), ("", campaign.name)
            ),
        },
    )


@require_POST
def announce(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = _own(request, Campaign, pk, "change")
    announce_campaign(campaign=campaign, user=request.user)
    messages.success(request, _("“%(name)s” is announced: the public sees it.") % {"name": campaign.name})
    return redirect("abonde_defis_admin:campaign_desk", pk)


@require_POST
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Everybody learns the selection at the same moment; the campaign's name is typed to confirm."""
    campaign = _own(request, Campaign, pk, "change")
    if request.POST.get("confirmation", "").strip() != campaign.name:
        messages.error(request, _("Write the name of the campaign to confirm."))
        return redirect("abonde_defis_admin:campaign_desk", pk)
    try:
        publish_selection(campaign=campaign, user=request.user)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("The selection of “%(name)s” is published.") % {"name": campaign.name})
    return redirect("abonde_defis_admin:campaign_desk", pk)


# --- Complementary money ------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def money(request: HttpRequest, pk: int) -> HttpResponse:
    """Pots and pledges on one screen; after opening, a change waits for a second signature."""
    campaign = _own(request, Campaign, pk)
    try:
        campaign = ensure_rules_frozen(campaign=campaign)
    except Refused:
        pass  # not open yet: the money may still be edited
    roles = roles_of(request.user, campaign.fund)
    may_edit = bool(roles & MONEY)
    frozen = campaign.rules_frozen_at is not None
    context = {
        "campaign": campaign,
        "frozen": frozen,
        "may_edit": may_edit,
        "page_title": _("Complementary money"),
        "header_title": _("Complementary money"),
        "header_icon": "date",
        "breadcrumbs_items": _campaign_crumbs(campaign, _("Complementary money")),
    }
    if not may_edit:
        if request.method == "POST":
            raise Http404
        context["pledges"] = visible_pledges(request.user, campaign)
        return render(request, "defis/admin/money.html", context)
    pots = PotFormSet(request.POST if request.method == "POST" else None, instance=campaign, prefix="pots")
    reason = ReasonForm(request.POST if request.method == "POST" else None) if frozen else None
    if request.method == "POST" and pots.is_valid() and (reason is None or reason.is_valid()):
        try:
            return _save_money(request, campaign, pots, reason)
        except Refused as refusal:
            messages.error(request, refusal.message)
        except IntegrityError as error:
            # The database's own word: only the rule that people can meet here has a sentence.
            if "abonde_endowment_takes_no_public_money" not in str(error) and "endowment" not in str(error):
                raise
            messages.error(request, str(ENDOWMENT_REFUSAL))
    return render(request, "defis/admin/money.html", {**context, "pots": pots, "reason": reason})


def _save_money(request: HttpRequest, campaign: Campaign, pots: Any, reason: Any) -> HttpResponse:
    if reason is None:
        with transaction.atomic():
            pots.save()
        messages.success(request, _("The complementary money is saved."))
        return redirect("abonde_defis_admin:campaign_money", campaign.pk)
    change = ask_rule_change(
        campaign=campaign, changes=changes_of(pots), reason=reason.cleaned_data["reason"], user=request.user
    )
    messages.warning(request, _("The rules are not changed yet: another person must sign."))
    return redirect("abonde_defis_admin:rule_change", change.pk)


def visible_pledges(user: Any, campaign: Campaign) -> list[Pledge]:
    """Every pledge, or a funder's own ones only."""
    pledges = Pledge.objects.filter(pot__campaign=campaign).select_related("pot", "funder")
    if roles_of(user, campaign.fund) == {Role.FUNDER}:
        groups = user.groups.all()
        pledges = pledges.filter(
            funder__in=campaign.fund.roles.filter(group__in=groups, role=Role.FUNDER).values("organisation")
        )
    return list(pledges)


# --- Changes of the rules -----------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def rule_change(request: HttpRequest, pk: int) -> HttpResponse:
    """What would change, and why; the second signature is another person's."""
    change = _own(request, RuleChange, pk)
    campaign = change.campaign
    policy = policy_registry.get_by_type(RuleChange)
    signer = policy.user_has_permission_for_instance(request.user, "sign", change)
    mine = change.requested_by_id == request.user.pk
    if request.method == "POST":
        if not (signer or mine):
            raise Http404
        try:
            if "refuse" in request.POST:
                refuse_rule_change(change=change, user=request.user)
                messages.success(request, _("The change is refused. The rules stay as they are."))
            else:
                if not signer:
                    raise Http404
                change_rules(change=change, signed_by=request.user)
                messages.success(
                    request, _("The rules are changed. The public sees the new version and the reasons.")
                )
        except Refused as refusal:
            messages.error(request, refusal.message)
        return redirect("abonde_defis_admin:rule_change", pk)
    return render(
        request,
        "defis/admin/rule_change.html",
        {
            "change": change,
            "campaign": campaign,
            "rows": differences(change),
            "may_sign": signer and not mine and change.state == RuleChange.State.ASKED,
            "may_refuse": (signer or mine) and change.state == RuleChange.State.ASKED,
            "page_title": _("Change of the rules"),
            "header_title": _("Change of the rules"),
            "header_icon": "warning",
            "breadcrumbs_items": _campaign_crumbs(campaign, _("Change of the rules")),
        },
    )


def differences(change: RuleChange) -> list[tuple[str, Any, Any]]:
    """(rule, value now, value asked), in words."""
    campaign, rows = change.campaign, []
    for name, value in change.changes.get("campaign", {}).items():
        field: Any = Campaign._meta.get_field(name)
        rows.append((str(field.verbose_name), getattr(campaign, name), value))
    pots = {
        pot.slug: pot for pot in Pot.objects.filter(campaign=campaign).prefetch_related("pledges__funder")
    }
    for slug, values in change.changes.get("pots", {}).items():
        for name, value in values.items():
            column: Any = Pot._meta.get_field(name)
            label = f"{pots[slug].name} – {column.verbose_name}"
            rows.append((label, getattr(pots[slug], name), value))
    for slug, pledges in change.changes.get("pledges", {}).items():
        known = {str(pledge.funder_id): pledge for pledge in pots[slug].pledges.all()}
        for funder, cents in pledges.items():
            label = f"{pots[slug].name} – {known[funder].funder if funder in known else funder}"
            rows.append((label, known[funder].amount_cents if funder in known else 0, cents))
    return rows


# --- Cancelling a project -----------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a project: its reasons become public, its contributors are refunded."""
    project = _own(request, Project, pk, "change")
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            cancel_project(project=project, reason=form.cleaned_data["reason"], user=request.user)
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            wagtail_messages.success(request, _("“%(title)s” is cancelled.") % {"title": project.title})
        return redirect("abonde_projects:inspect", pk)
    return render(
        request,
        "defis/admin/cancel.html",
        {
            "project": project,
            "form": form,
            "page_title": _("Cancel a project"),
            "header_title": _("Cancel a project"),
            "header_icon": "warning",
            "breadcrumbs_items": crumbs(
                (reverse("abonde_projects:index"), _("Projects")),
                (reverse("abonde_projects:inspect", args=[pk]), project.title),
                ("", _("Cancel a project")),
            ),
        },
    )


def default_slug(name: str) -> str:
    return slugify(name)[:60] or "pot"
