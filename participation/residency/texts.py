"""What our mails about residence say."""

from django.utils.translation import gettext_lazy

from participation.notifications.texts import TEXTS

TEXTS |= {
    "residence_drawn": (
        gettext_lazy("Your declaration of residence: please confirm it before %(before)s"),
        [
            gettext_lazy(
                "You declared that you live in %(territory)s. Your declaration was drawn at random."
            ),
            gettext_lazy("Please show a proof of address before %(before)s, at a counter or by letter."),
            gettext_lazy("We look at it. We do not keep it."),
            gettext_lazy("What to do: %(url)s"),
        ],
    ),
    "residence_confirmed": (
        gettext_lazy("Your residence in %(territory)s is confirmed"),
        [
            gettext_lazy("Your residence in %(territory)s is confirmed. Your contributions count."),
            gettext_lazy("You have nothing to do."),
        ],
    ),
    "residence_refused": (
        gettext_lazy("Your residence in %(territory)s is not confirmed"),
        [
            gettext_lazy("We could not confirm that you live in %(territory)s. Reason: %(reason)s"),
            gettext_lazy(
                "Your contributions to this campaign do not count any more. We refund them in full."
            ),
            gettext_lazy("If you think that this is a mistake, write to us. What to do: %(url)s"),
        ],
    ),
}
