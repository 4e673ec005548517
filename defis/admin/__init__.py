"""Screens of Wagtail's admin: records scoped to the user's funds, the campaign's desk, the jury."""
