"""Writes of this room: keyword-only, atomic, one verb each."""

from defis.services.campaigns import announce_campaign, ensure_rules_frozen, freeze_due_rules, freeze_rules
from defis.services.projects import cancel_project, submit_project, withdraw_project
from defis.services.refusals import Refused
from defis.services.rulechanges import ask_rule_change, change_rules, refuse_rule_change
from defis.services.selection import publish_selection, record_decision, save_evaluation

__all__ = [
    "Refused",
    "announce_campaign",
    "ask_rule_change",
    "cancel_project",
    "change_rules",
    "ensure_rules_frozen",
    "freeze_due_rules",
    "freeze_rules",
    "publish_selection",
    "record_decision",
    "refuse_rule_change",
    "save_evaluation",
    "submit_project",
    "withdraw_project",
]
