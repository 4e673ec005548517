"""What every test shares: the embedded PostgreSQL, a database copied from a template, a browser.

The template is migrated once per set of migrations; each test process copies it, and each test that
commits gets a fresh copy. Nothing is truncated: our ledger refuses it.
"""

import hashlib
import os
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Reference data too large or not ours to ship; a test that needs it skips loudly without it."""
    path = Path(os.environ.get("ABONDE_DATA_DIR", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"reference data absent: {path} (set ABONDE_DATA_DIR)")
    return path


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    for config in sorted(apps.get_app_configs(), key=lambda c: c.label):
        for path in sorted((Path(config.path) / "migrations").glob("*.py")):
            digest.update(f"{config.label}/{path.name}".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _maintenance():
    """A connection outside any test database, for CREATE and DROP DATABASE."""
    import psycopg

    params = connection.get_connection_params()
    params = {k: v for k, v in params.items() if k in {"host", "port", "user", "password"}}
    return psycopg.connect(dbname="postgres", autocommit=True, **params)


def _use(name: str) -> None:
    for alias in connections:
        connections[alias].close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


class _TestDatabases:
    """The template and the copies of this process."""

    def __init__(self) -> None:
        self.template = f"abonde_template_{_migrations_digest()}"
        self.name = f"abonde_test_{os.getpid()}"

    def ensure_template(self) -> None:
        from django.core.management import call_command

        with _maintenance() as db:
            # One process migrates, the others wait for it.
            db.execute("SELECT pg_advisory_lock(hashtext(%s))", [self.template])
            ready = db.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [self.template]
            ).fetchone()
            if not ready:
                db.execute(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)')
                db.execute(f'CREATE DATABASE "{self.template}"')
                _use(self.template)
                call_command("migrate", verbosity=0, interactive=False)
                connection.close()
                db.execute(f'ALTER DATABASE "{self.template}" WITH IS_TEMPLATE true')
            self._drop_leftovers(db)

    def _drop_leftovers(self, db) -> None:
        """Copies whose process died, and templates of other migrations nobody used for a day."""
        for (name,) in db.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'abonde_test_%'"
        ).fetchall():
            pid = name.rsplit("_", 1)[1]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc").exists():
                db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def copy(self) -> None:
        _use("postgres")
        with _maintenance() as db:
            db.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            db.execute(f'CREATE DATABASE "{self.name}" TEMPLATE "{self.template}" STRATEGY FILE_COPY')
        _use(self.name)

    def drop(self) -> None:
        _use("postgres")
        with _maintenance() as db:
            db.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    with django_db_blocker.unblock():
        databases = _TestDatabases()
        databases.ensure_template()
        databases.copy()

        def fresh_copy(self) -> None:
            databases.copy()

        original = TransactionTestCase._fixture_teardown
        TransactionTestCase._fixture_teardown = fresh_copy
    yield
    with django_db_blocker.unblock():
        TransactionTestCase._fixture_teardown = original
        databases.drop()


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    """No test writes where another reads."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ABONDE_PRIVATE_ROOT = tmp_path / "private"
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "private", "base_url": None},
        },
    }


@pytest.fixture(autouse=True)
def _nothing_estimated_elsewhere():
    """Live estimates are kept a few seconds in the process: not from one test's database to the next."""
    from fundmatch import estimates
    from theme import memory

    estimates.forget()
    memory.forget()


# --- Browser ----------------------------------------------------------------------------------------
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A forgotten call to another domain fails instead of leaving the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    executable = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(executable).exists():
        pytest.skip("Chromium is absent: run `make test`, or set CHROMIUM to its path")
    return {**browser_type_launch_args, "executable_path": executable, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {
        **browser_context_args,
        "locale": "fr-FR",
        "timezone_id": "Europe/Paris",
        "viewport": {"width": 360, "height": 800},
        "reduced_motion": "reduce",
    }
