"""The arrangement of the folders, and the traps it was chosen to avoid."""

import site
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_folder_never_becomes_a_package():
    assert not (ROOT / "site" / "__init__.py").exists()
    assert not Path(site.__file__).is_relative_to(ROOT / "site")


def test_no_migration_is_missing():
    done = subprocess.run(
        [sys.executable, "site/manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db
def test_the_system_checks_are_clean():
    from django.core.management import call_command

    call_command("check", fail_level="WARNING")
