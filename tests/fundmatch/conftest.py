"""Rounds and people shared by the tests of this room."""

import sys
from pathlib import Path

import pytest

# The folder has no package: its helper module is imported by name.
sys.path.insert(0, str(Path(__file__).parent))

import rounds


@pytest.fixture
def closed_round(db):
    """(campaign, projects by title): the bell has rung, nothing is calculated."""
    return rounds.make_round()


@pytest.fixture
def agents(closed_round):
    """One agent per role of the fund."""
    campaign, _projects = closed_round
    roles = ["communication", "foundation", "finance", "auditor", "funder", "counter", "administrator"]
    return {role: rounds.make_user(campaign, role) for role in roles}
