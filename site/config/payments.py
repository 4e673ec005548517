"""Payment providers of this installation: name → adapter and options, from the environment.

Only what is configured exists. A second account of one provider (another legal holder) is another name.
"""

from typing import Any
from urllib.parse import urlsplit

from environ import Env

ADAPTERS = "participation.payments.providers"


def payment_providers(env: Env, *, simulation: bool, standin: str, origin: str) -> dict[str, dict[str, Any]]:
    """`standin`: where the simulated provider answers; `origin`: where we do. Variables: docs/payments.md."""
    providers: dict[str, dict[str, Any]] = {
        "offline": {"ADAPTER": f"{ADAPTERS}.offline.OfflineProvider"},
        "allowance": {"ADAPTER": f"{ADAPTERS}.allowance.AllowanceProvider"},
    }
    if simulation:
        # The stand-in knows the same two words; they open nothing elsewhere.
        providers["simulated"] = {
            "ADAPTER": f"{ADAPTERS}.simulated.SimulatedProvider",
            "BASE_URL": standin,
            "API_KEY": "simulated-key",
            "WEBHOOK_SECRETS": ["simulated-webhook-secret"],
            "NOTIFY_URL": f"{origin}/paiement/simulated/webhook/",
        }
    if env("STRIPE_SECRET_KEY", default=""):
        providers["stripe"] = {
            "ADAPTER": f"{ADAPTERS}.stripe.StripeProvider",
            "SECRET_KEY": env("STRIPE_SECRET_KEY"),
            "WEBHOOK_SECRETS": env.list("STRIPE_WEBHOOK_SECRETS"),
            "API_BASE": env("STRIPE_API_BASE", default="https://api.stripe.com"),
        }
    if env("HELLOASSO_CLIENT_ID", default=""):
        api_base = env("HELLOASSO_API_BASE", default="https://api.helloasso.com")
        providers["helloasso"] = {
            "ADAPTER": f"{ADAPTERS}.helloasso.HelloAssoProvider",
            "CLIENT_ID": env("HELLOASSO_CLIENT_ID"),
            "CLIENT_SECRET": env("HELLOASSO_CLIENT_SECRET"),
            "ORGANIZATION": env("HELLOASSO_ORGANIZATION"),
            "API_BASE": api_base,
            "SANDBOX": "sandbox" in api_base,
            # Partners get signed notifications; an association alone only knows the sender's address.
            "SIGNATURE_KEYS": env.list("HELLOASSO_SIGNATURE_KEYS", default=[]),
            "NOTIFIER_IPS": env.list("HELLOASSO_NOTIFIER_IPS", default=["51.138.206.200"]),
            # 0: nobody has asked HelloAsso yet, and no campaign opens on it.
            "REFUND_WINDOW_DAYS": env.int("HELLOASSO_REFUND_WINDOW_DAYS", default=0),
            "PAYOUT_DEADLINE_DAYS": env.int("HELLOASSO_PAYOUT_DEADLINE_DAYS", default=0) or None,
        }
    return providers


def payment_page_origins(providers: dict[str, dict[str, Any]]) -> list[str]:
    """Sites whose payment page our form leads to, for the content security policy."""
    origins = {
        "stripe": ["https://checkout.stripe.com"],
        "helloasso": ["https://www.helloasso.com", "https://www.helloasso-sandbox.com"],
    }
    found: list[str] = []
    for options in providers.values():
        module = options["ADAPTER"].split(".")[-2]
        if module == "simulated":
            parts = urlsplit(options["BASE_URL"])
            found.append(f"{parts.scheme}://{parts.netloc}")
        found += origins.get(module, [])
    return sorted(set(found))
