"""Judged by a real Keycloak, from its own distribution archive, with a realm of a town and its agents."""

import html
import os
import re
import shutil
import socket
import subprocess
import zipfile
from io import StringIO
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from participation.identity.models import FederatedIdentity, Person
from participation.residency.services import current_proof, eligibility
from tests.participation import identity_world as world
from tests.peers.processes import installed, need, running, wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.peer, pytest.mark.slow]
HERE = Path(__file__).parent / "keycloak"
# The last line that runs on Java 17.
VERSION = "26.4.7"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory):
    """A running Keycloak: the address of its realm. ABONDE_KEYCLOAK names one that runs already."""
    if realm := os.environ.get("ABONDE_KEYCLOAK"):
        yield realm
        return
    need("java", "mvn")
    folder = installed("keycloak", [HERE / "realm.json", Path(__file__)], _install)
    home = folder / f"keycloak-{VERSION}"
    work = tmp_path_factory.mktemp("keycloak")
    log = work / "log"
    shutil.copytree(home / "data" / "h2", work / "h2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(home / "bin" / "kc.sh"), "start", "--optimized", "--http-enabled=true", "--http-host=127.0.0.1",
        f"--http-port={port}", f"--hostname=http://127.0.0.1:{port}",
        f"--db-url=jdbc:h2:file:{work}/h2/keycloakdb;NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE",
    ]  # fmt: skip
    realm = f"http://127.0.0.1:{port}/realms/ville"

    def ready() -> bool:
        try:
            return requests.get(f"{realm}/.well-known/openid-configuration", timeout=2).ok
        except requests.RequestException:
            return False

    heap = "-Xms128m -Xmx512m -XX:TieredStopAtLevel=1"
    with running(command, log=log, cwd=home, JAVA_OPTS_KC_HEAP=heap) as process:
        wait_for(ready, process, log, seconds=300)
        yield realm


def _install(folder: Path) -> None:
    """Fetch the archive by Maven, unpack, and build once: later starts take seconds."""
    command = ["mvn", "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)
    archive = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    archive.unlink()
    home = folder / f"keycloak-{VERSION}"
    for script in (home / "bin").glob("*.sh"):
        script.chmod(0o755)
    # The schema and the realm are made here once; each run starts on a copy.
    run = [str(home / "bin" / "kc.sh")]
    for arguments in (["build", "--db=dev-file"], ["import", "--optimized", f"--file={HERE / 'realm.json'}"]):
        subprocess.run([*run, *arguments], cwd=home, check=True, capture_output=True, timeout=600)


@pytest.fixture
def configure(keycloak, settings):
    def set_up(**change) -> None:
        block = {
            "ISSUER": keycloak,
            "CLIENT_ID": "abonde",
            "CLIENT_SECRET": "not-a-secret-of-the-demonstration",
            "SCOPES": "openid",
            "RESIDENCE_CLAIM": "address.insee",
        }
        settings.ABONDE_IDENTITY_PROVIDERS = {"keycloak": {**block, **change}}
        cache.clear()

    set_up()
    return set_up


class Browser:
    """Our site by Django's test client, Keycloak by HTTP with its cookies."""

    def __init__(self) -> None:
        self.client = Client()
        self.web = requests.Session()

    def ask(self, method: str, address: str, **options):
        """Keycloak marks its cookies Secure; browsers send them to the loopback all the same."""
        for cookie in self.web.cookies:
            cookie.secure = False
        return self.web.request(method, address, allow_redirects=False, **options)

    def follow(self, response):
        while response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            if target.startswith("http://testserver/"):
                return target
            response = self.ask("GET", target)
        return response

    def leave(self, **extra):
        address = self.client.get("/connexion/keycloak/", {"next": "/plan-du-site/"})["Location"]
        return self.follow(self.ask("GET", address, params=extra))

    def identify(self, who: str, password: str = ""):
        page = self.leave()
        action = html.unescape(re.search(r'action="([^"]+)"', page.text).group(1))
        form = {"username": who, "password": password or who, "credentialId": ""}
        return self.follow(self.ask("POST", action, data=form))

    def sign_in(self, who: str):
        return world.come_back(self.client, self.identify(who))


def test_a_resident_signs_in_and_out(keycloak, configure):
    browser = Browser()
    assert browser.sign_in("claire")["Location"] == "/plan-du-site/"
    person = Person.objects.get()
    # preferred_username is Keycloak's login name, not a name to show.
    assert (person.display_name, person.email) == ("Clâire MULLER", "famille@example.org")
    assert FederatedIdentity.objects.get().issuer == keycloak
    back = browser.follow(browser.ask("GET", browser.client.post("/deconnexion/")["Location"]))
    page = world.come_back(browser.client, back)
    assert 'data-signed-out="complete"' in page.content.decode()
    # And Keycloak asks again.
    assert "password" in browser.leave().text


def test_two_people_with_one_e_mail_have_two_accounts(configure):
    for who in ("claire", "henri", "claire"):
        Browser().sign_in(who)
    assert Person.objects.count() == 2


def test_signed_userinfo_and_es256(configure):
    configure(CLIENT_ID="abonde-signed", SIGN_ALGO="ES256", USERINFO_SIGNED=True)
    assert Browser().sign_in("claire").status_code == 302
    assert Person.objects.get().display_name == "Clâire MULLER"


def test_the_secret_in_the_header_is_accepted_too(configure):
    configure(BASIC_AUTH=True)
    assert Browser().sign_in("claire").status_code == 302


def test_a_commune_and_an_age_that_the_town_knows(configure):
    territory = world.make_territory()
    campaign = world.make_campaign(territory, minimum_age=16, residency_methods=["attribute"])
    for who in ("claire", "henri"):
        Browser().sign_in(who)
    claire, henri = Person.objects.order_by("pk")
    assert (
        current_proof(claire, territory).method == "attribute"
        and eligibility(person=claire, campaign=campaign).ok
    )
    assert (
        current_proof(henri, territory) is None and eligibility(person=henri, campaign=campaign).code == "age"
    )


def test_agents_enter_groups_of_the_allow_list_only(configure):
    for name in ("Communication", "archives"):
        Group.objects.create(name=name)
    configure(AUDIENCE="agents", GROUPS_CLAIM="roles", GROUPS={"abonde-communication": ["Communication"]})
    Browser().sign_in("odile")
    user = Person.objects.get().user
    assert [group.name for group in user.groups.all()] == ["Communication"] and not user.is_staff
    answer = Browser().sign_in("claire")
    assert world.problem_of(answer) == "not_allowed" and Person.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"CLIENT_SECRET": "wrong"}, "refused"),
        ({"SIGN_ALGO": "ES256"}, "refused"),
        ({"USERINFO_SIGNED": True}, "refused"),
        ({"ACCEPTED_ACR": ["eidas1"]}, "refused"),
        ({"REQUIRED_CLAIMS": {"franceconnect_level": "eidas1"}}, "not_identified"),
    ],
)
def test_what_we_do_not_expect_is_refused(configure, change, code):
    browser = Browser()
    back = browser.identify("claire")
    configure(**change)
    assert world.problem_of(world.come_back(browser.client, back)) == code and not Person.objects.exists()


def test_a_wrong_password_stays_at_keycloak(configure):
    page = Browser().identify("claire", "wrong")
    assert page.status_code == 200 and "password" in page.text


def test_a_silent_sign_in_that_fails_is_a_sentence(configure):
    browser = Browser()
    answer = world.come_back(browser.client, browser.leave(prompt="none"))
    assert world.problem_of(answer) == "not_identified"


def test_a_callback_is_used_once_and_in_its_own_browser(configure):
    first, second = Browser(), Browser()
    back = first.identify("claire")
    assert "iss=" in urlsplit(back).query
    assert world.problem_of(world.come_back(second.client, back)) == "expired"
    assert world.come_back(first.client, back).status_code == 302
    assert world.problem_of(world.come_back(first.client, back)) == "expired"


def test_the_check_command_agrees_with_keycloak(configure, settings):
    settings.PUBLIC_ORIGIN = "http://testserver"
    out = StringIO()
    call_command("check_identity", "keycloak", stdout=out)
    assert "Everything fits" in out.getvalue()
