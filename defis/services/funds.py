"""The groups of a fund: who may do what, in Wagtail and in our own screens."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Page

from defis.audit import record
from defis.models import Fund, FundRole, Organisation
from defis.permissions import Role

# Page permissions of each role, under the site's root: what a role does not have, it does not see.
PAGE_PERMISSIONS = {
    Role.COMMUNICATION: ("add_page", "change_page", "publish_page", "lock_page", "unlock_page"),
    Role.ADMINISTRATOR: (
        "add_page",
        "change_page",
        "publish_page",
        "lock_page",
        "unlock_page",
        "bulk_delete_page",
    ),
}
IMAGE_PERMISSIONS = (
    "add_image",
    "change_image",
    "choose_image",
    "add_document",
    "change_document",
    "choose_document",
)


@transaction.atomic
def create_fund_groups(
    *, fund: Fund, root: Page | None = None, funders: list[Organisation] | None = None, user: Any = None
) -> dict[str, Group]:
    """Make (or complete) one Wagtail group per role of a fund, with its rights; idempotent.

    `root` is the part of the page tree that the fund's editors write (default: all pages). Returns
    role -> group; each funder gets its own group, under "funder:<pk>", and sees its own pledge only.
    """
    groups: dict[str, Group] = {}
    for role in Role:
        if role == Role.FUNDER:
            continue
        groups[role] = _group(fund, role, str(role.label), None)
    for funder in funders or []:
        groups[f"funder:{funder.pk}"] = _group(fund, Role.FUNDER, funder.name, funder)
    root = root or Page.get_first_root_node()
    collection = Collection.get_first_root_node()
    for role, codenames in PAGE_PERMISSIONS.items():
        for permission in Permission.objects.filter(
            content_type__app_label="wagtailcore", codename__in=codenames
        ):
            GroupPagePermission.objects.get_or_create(group=groups[role], page=root, permission=permission)
        for permission in Permission.objects.filter(codename__in=IMAGE_PERMISSIONS):
            GroupCollectionPermission.objects.get_or_create(
                group=groups[role], collection=collection, permission=permission
            )
    record(fund, "abonde.fund.groups", user, groups=[group.name for group in groups.values()])
    return groups


def _group(fund: Fund, role: Role, label: str, organisation: Organisation | None) -> Group:
    existing = (
        FundRole.objects.filter(fund=fund, role=role, organisation=organisation)
        .select_related("group")
        .first()
    )
    if existing:
        return existing.group
    # The name of a group is unique and at most 150 characters; two funds
    # may have the same name, never a group.
    name = _("%(fund)s – %(role)s") % {"fund": fund.name[:60], "role": str(label)[:40]}
    if Group.objects.filter(name=name).exists():
        name = f"{name} ({fund.slug[:40]})"
    group = Group.objects.create(name=name)
    group.permissions.add(
        Permission.objects.get(codename="access_admin", content_type__app_label="wagtailadmin")
    )
    FundRole.objects.create(fund=fund, group=group, role=role, organisation=organisation)
    return group
