"""What the tests of the money screens share: a campaign with money, its neighbours, people with roles."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from defis.models import Campaign, Fund, FundRole, Organisation, Role
from participation.payments.models import Payment
from participation.payments.settlement import settle_payment
from tests.money import world

ROOT = "/admin/abonde/argent/"
ADAPTERS = {
    "memory": {"ADAPTER": "tests.money.world.MemoryProvider"},
    "offline": {"ADAPTER": "participation.payments.providers.offline.OfflineProvider"},
}


def login(role: Role | None, *funds: Fund, organisation: Organisation | None = None) -> Client:
    """Somebody new with one role for these funds."""
    number = User.objects.count()
    user = User.objects.create_user(f"agent-{number}")
    group = Group.objects.create(name=f"groupe-{number}")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    user.groups.add(group)
    for fund in funds:
        if role:
            FundRole.objects.create(fund=fund, group=group, role=role, organisation=organisation)
    return client_of(user)


def superuser() -> Client:
    return client_of(User.objects.create_superuser("root", "root@example.org"))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def paid(project: Any, provider: Any, cents: int = 2_000, **fields: Any) -> Payment:
    """One contribution, paid; `fields` change what the provider says of it."""
    payment = world.start(world.resident(project.campaign), project, cents)
    provider.pay(payment, **fields)
    return settle_payment(payment)


def stranger() -> Campaign:
    """Another fund of another holder, with a project."""
    return world.campaign(projects=1)


def words(response: Any) -> str:
    """What one reads of a page."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    text = re.sub(r"<(script|style|template).*?</\1>", " ", content.decode(), flags=re.S)
    text = unescape(re.sub(r"<[^>]+>", " ", text)).replace("\xa0", " ").replace("\u202f", " ")
    return re.sub(r"\s+", " ", text)


def has_text(response: Any, *texts: str) -> bool:
    said = words(response)
    return all(text in said for text in texts)
