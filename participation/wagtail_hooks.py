"""What this app shows on pages of others, and its screens in the administration, room by room."""

from wagtail import hooks

from participation.identity.links import account_links

hooks.register("abonde_account_links", account_links)
