"""The wheel, installed into a brand-new `wagtail start` project by following docs/integrate.md."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "site/catalogues.py", "compile", cwd=ROOT)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, cwd=ROOT)
    (path,) = target.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_carries_what_runs_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "theme",
        "defis",
        "participation",
        "fundmatch",
    }
    for app in ("theme", "defis", "participation", "fundmatch"):
        for language in ("fr", "de"):
            assert f"{app}/locale/{language}/LC_MESSAGES/django.mo" in names
    assert any(name.endswith("base.html") for name in names)
    assert any(name.endswith("abonde.css") for name in names)
    assert any(name.endswith("communes_alsace.json") for name in names)


def block(language: str, title: str) -> str:
    """The code block of docs/integrate.md whose first line is `# title`."""
    text = (ROOT / "docs" / "integrate.md").read_text(encoding="utf-8")
    (found,) = (
        code
        for code in re.findall(rf"```{language}\n(.*?)```", text, re.S)
        if code.startswith(f"# {title}\n")
    )
    return found


@pytest.fixture
def database():
    """An empty database of its own, beside the one of the tests."""
    parameters = connection.get_connection_params()
    parameters = {k: v for k, v in parameters.items() if k in {"host", "port", "user", "password"}}
    name = f"abonde_test_host_{os.getpid()}"
    with psycopg.connect(dbname="postgres", autocommit=True, **parameters) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}"')
        yield {
            "PGDATABASE": name,
            "PGHOST": str(parameters.get("host") or ""),
            "PGUSER": str(parameters.get("user") or ""),
            "PGPASSWORD": str(parameters.get("password") or ""),
        }
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.mark.slow
@pytest.mark.django_db
def test_a_new_wagtail_project_follows_the_guide_and_its_project_page_answers(wheel, tmp_path, database):
    # A virtual environment that sees the libraries of this one, but not the checkout: only the wheel is Abonde.
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    (libraries,) = (Path(sys.executable).parents[1]).glob("lib/python*/site-packages")
    (site_packages / "libraries.pth").write_text(f"{libraries}\n")
    python = venv / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path
    )  # fmt: skip
    environment = {
        **database,
        "PYTHONPATH": "",
        "DJANGO_SETTINGS_MODULE": "mysite.settings.dev",
        "ABONDE_PSEUDONYM_KEY": "of this test",
    }
    run(python, "-m", "wagtail.bin.wagtail", "start", "mysite", cwd=tmp_path, PYTHONPATH="")
    project = tmp_path / "mysite"
    settings = project / "mysite" / "settings" / "base.py"
    settings.write_text(settings.read_text() + "\n" + block("python", "settings"))
    urls = project / "mysite" / "urls.py"
    urls.write_text(urls.read_text() + "\n" + block("python", "urls"))
    where = run(python, "-c", "import defis; print(defis.__file__)", cwd=project, **environment)
    assert str(site_packages) in where

    def manage(*arguments: str) -> str:
        return run(python, "manage.py", *arguments, cwd=project, **environment)

    manage("check")
    manage("makemigrations", "--check", "--dry-run")
    manage("migrate", "-v0")
    assert "880" in manage("load_communes")
    manage("schedule_jobs")
    manage(
        "shell",
        "-c",
        """
from datetime import timedelta
from defis.clock import database_now
from defis.models import *
from wagtail.models import Page, Site
town = Organisation.objects.create(name="Ville", kind="authority")
foundation = Organisation.objects.create(name="Fondation", kind="foundation")
territory = Territory.objects.create(name="Alsace", slug="alsace")
territory.communes.set(Commune.objects.all())
fund = Fund.objects.create(name="Fonds", slug="fonds", territory=territory, foundation=foundation, authority=town,
                           legal_holder=foundation)
now = database_now()
campaign = Campaign.objects.create(fund=fund, name="Campagne", slug="campagne", announced_at=now,
                                   opens_at=now - timedelta(days=1), closes_at=now + timedelta(days=50))
defi = Defi.objects.create(name="Nature", slug="nature")
campaign.defis.add(defi)
holder = Holder.objects.create(name="Voisins", legal_form="association", email="v@example.org")
project = Project.objects.create(campaign=campaign, defi=defi, holder=holder, title="Le jardin d'à côté", slug="jardin",
                                 summary="Un jardin.", goal_cents=600000, status="preselected")
home = Site.objects.get(is_default_site=True).root_page
index = home.add_child(instance=ProjectIndexPage(title="Projets", slug="projets"))
index.add_child(instance=ProjectPage(title=project.title, slug="jardin", project=project))
""",
    )
    answer = manage(
        "shell",
        "-c",
        """
from django.test import Client
response = Client(SERVER_NAME="localhost").get("/projets/jardin/")
print(response.status_code, response.content.decode())
""",
    )
    assert "200 " in answer
    assert "Le jardin d" in answer
    assert "6\u00a0000\u00a0€" in answer
