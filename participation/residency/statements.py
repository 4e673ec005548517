"""The text that a resident signs on her honour. A version, once signed by anybody, is never edited: add the next one."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STATEMENTS: dict[str, Promise] = {
    "2026-11": _(
        "I declare on my honour that I live in the commune chosen above (%(postal_code)s). I know that my declaration "
        "can be checked. If it is false, it is refused and my contributions are refunded."
    ),
}
CURRENT = "2026-11"
