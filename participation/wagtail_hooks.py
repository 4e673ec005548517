"""What this app shows on pages of others, and its screens in the administration, room by room."""

from wagtail import hooks

from participation.admin import menu as money
from participation.contributions import panels as contributions
from participation.contributions.hooks import opening_checks, refund_cancelled_project
from participation.contributions.states import gallery_states
from participation.identity.links import account_links
from participation.notifications.hooks import notify
from participation.residency import hooks as residency

hooks.register("abonde_account_links", contributions.account_links)
hooks.register("abonde_account_links", account_links)
hooks.register("abonde_gallery_states", gallery_states)
hooks.register("abonde_notify", notify)
hooks.register("abonde_opening_checks", opening_checks)
hooks.register("abonde_plan_links", contributions.plan_links)
hooks.register("abonde_project_cancelled", refund_cancelled_project)
hooks.register("abonde_project_panels", contributions.project_panels)
hooks.register("construct_homepage_panels", money.home_panel)
hooks.register("insert_global_admin_css", money.admin_css)
hooks.register("register_admin_menu_item", money.money_menu)
hooks.register("register_admin_menu_item", residency.menu_item)
hooks.register("register_admin_urls", money.admin_urls)
hooks.register("register_admin_urls", residency.admin_urls)
hooks.register("register_admin_viewset", money.viewsets)
hooks.register("register_log_actions", money.log_actions)
hooks.register("register_log_actions", residency.log_actions)
