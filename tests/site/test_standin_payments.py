# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""The simulated payment provider as a process: it must be worth trusting before anything is judged by it."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.standin_payments import (  # noqa: F401
    SITE,
    PaymentStandin,
    _payment_standin_process,
    payment_standin,
    receiver,
)

KEY = {"Authorization": "Bearer simulated-key"}


def create(standin: PaymentStandin, key: str = "k1", **more) -> requests.Response:
    wish = {
        "key": key,
        "amount_cents": 2000,
        "currency": "EUR",
        "title": "Four à pain <b>",
        "reference": f"REF-{key}",
        "return_url": "http://127.0.0.1:8000/retour/",
        "cancel_url": "http://127.0.0.1:8000/abandon/",
        **more,
    }
    return standin.http.post(f"{standin.url}/v1/payments", json=wish, headers=KEY, timeout=10)


def read(standin: PaymentStandin, made: dict) -> dict:
    return standin.http.get(f"{standin.url}/v1/payments/{made['id']}", headers=KEY, timeout=10).json()


# --- Where it may run -----------------------------------------------------------------------------------
@pytest.mark.parametrize("environment", [{}, {"DEBUG": "0"}, {"DEBUG": "1", "ABONDE_SIMULATION": "0"}])
def test_it_refuses_to_start_outside_a_simulation(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "standins.payments", "--port", "0", "--state", str(tmp_path / "s")],
        cwd=SITE,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert "only runs in a simulation" in done.stderr
    assert not (tmp_path / "s").exists()


def test_it_refuses_any_address_but_loopback(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SITE / "standins/payments/__main__.py"), "--host", "0.0.0.0"],  # noqa: S104
        env={"PATH": os.environ["PATH"], "ABONDE_SIMULATION": "1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2


def test_run_by_its_path_it_answers_and_stops_at_once_when_told(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            str(SITE / "standins/payments/__main__.py"),
            "--port",
            "0",
            "--state",
            str(tmp_path / "s"),
        ],
        env={"PATH": os.environ["PATH"], "DEBUG": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
    assert requests.get(url, timeout=5).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    process.stdout.close()


def test_a_port_in_use_is_a_plain_sentence(payment_standin, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "standins.payments",
            "--port",
            str(payment_standin.port),
            "--state",
            str(tmp_path / "s"),
        ],
        cwd=SITE,
        env={"PATH": os.environ["PATH"], "ABONDE_SIMULATION": "1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, f"Port {payment_standin.port} cannot be used" in done.stderr) == (1, True)


def test_it_shares_no_code_with_the_site():
    for path in (SITE / "standins/payments").glob("*.py"):
        imports = re.findall(r"^(?:from|import) (\S+)", path.read_text(), re.MULTILINE)
        foreign = [
            name for name in imports if name.split(".")[0] not in sys.stdlib_module_names | {"standins"}
        ]
        assert foreign == [], path.name


def test_another_site_cannot_drive_it_through_a_browser(payment_standin):
    url = payment_standin.url
    simple = requests.post(
        f"{url}/_control/reset", data="{}", headers={"Content-Type": "text/plain"}, timeout=5
    )
    assert simple.status_code == 415
    rebound = requests.get(f"{url}/", headers={"Host": "evil.example"}, timeout=5)
    assert rebound.status_code == 421


def test_it_writes_to_nobody_but_this_machine(payment_standin):
    assert create(payment_standin, notify_url="http://example.org/hook").status_code == 201
    payment_standin.pay("k1")
    assert payment_standin.ask("deliveries") == {"deliveries": []}
    answer = requests.post(
        f"{payment_standin.url}/_control/webhooks",
        json={"face": "stripe", "url": "https://example.org"},
        timeout=5,
    )
    assert answer.status_code == 422


# --- Memory ---------------------------------------------------------------------------------------------
def test_killed_it_forgets_nothing(payment_standin, receiver):
    made = create(payment_standin, notify_url=receiver.url).json()
    receiver.answers = [500] * 2
    payment_standin.pay("k1")
    payment_standin.tell("clock", offset_seconds=-3600)
    payment_standin.restart()
    found = read(payment_standin, made)
    assert (found["state"], found["key"], found["fee_cents"]) == ("paid", "k1", 53)  # 1.4 % of 20 € and 25 c
    assert payment_standin.ask("clock")["offset_seconds"] == -3600
    receiver.wait_for(3)  # the message that was refused is still owed
    assert payment_standin.flush()["delivered"] == 1


def test_an_idempotency_key_is_one_payment_even_for_eight_at_once(payment_standin):
    def post(_n):
        return requests.post(
            f"{payment_standin.url}/v1/payments",
            json={"key": "k", "amount_cents": 500, "currency": "EUR", "return_url": "http://127.0.0.1/"},
            headers={**KEY, "Idempotency-Key": "one"},
            timeout=10,
        ).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(8)))) == 1


@pytest.mark.parametrize(
    "wish",
    [
        {"amount_cents": "2000"},
        {"amount_cents": 20.0},
        {"amount_cents": -1},
        {"amount_cents": True},
        {"currency": "USD"},
        {"return_url": "javascript:alert(1)"},
        {"key": ""},
    ],
)
def test_a_bad_order_is_refused_in_french(payment_standin, wish):
    answer = create(payment_standin, **wish)
    assert answer.status_code == 422
    assert re.search(r"Le montant|l'euro|L'adresse|Il manque", answer.json()["error"]["message"])


# --- Clock ----------------------------------------------------------------------------------------------
def test_a_past_campaign_can_be_played(payment_standin):
    payment_standin.tell("clock", at="2026-03-01T12:00:00+01:00")
    made = create(payment_standin).json()
    payment_standin.pay("k1")
    paid_at = datetime.fromisoformat(read(payment_standin, made)["paid_at"])
    assert abs(paid_at - datetime(2026, 3, 1, 11, tzinfo=UTC)) < timedelta(minutes=1)
    other = create(payment_standin, "k2").json()
    payment_standin.pay("k2", at="2026-02-14T08:00:00Z")
    assert read(payment_standin, other)["paid_at"].startswith("2026-02-14T08:00:00")


def test_a_page_nobody_uses_expires(payment_standin):
    made = create(payment_standin).json()
    payment_standin.tell("clock", offset_seconds=31 * 60)
    assert read(payment_standin, made)["state"] == "expired"
    page = payment_standin.http.get(made["page"], timeout=5)
    assert "a expiré. Rien n'a été pris." in page.text


# --- Messages -------------------------------------------------------------------------------------------
def paid_with(standin, receiver, kind: str = "", **details):
    if kind:
        standin.misbehave("webhook", kind, **details)
    create(standin, notify_url=receiver.url)
    standin.pay("k1")


def test_a_message_is_tried_again_until_it_is_heard(payment_standin, receiver):
    receiver.answers = [503, 500]
    paid_with(payment_standin, receiver)
    receiver.wait_for(3)
    assert len({message.json()["id"] for message in receiver.messages}) == 1
    assert payment_standin.flush() == {"waiting": 0, "delivered": 1, "lost": 0}


def test_messages_can_be_repeated_dropped_or_late(payment_standin, receiver):
    paid_with(payment_standin, receiver, "duplicate", count=5)
    receiver.wait_for(5)
    payment_standin.misbehave("webhook", "drop")
    create(payment_standin, "k2", notify_url=receiver.url)
    payment_standin.pay("k2")
    assert payment_standin.flush()["waiting"] == 0
    payment_standin.misbehave("webhook", "delay", seconds=0.4)
    create(payment_standin, "k3", notify_url=receiver.url)
    started = time.monotonic()
    payment_standin.pay("k3")
    receiver.wait_for(6)
    assert time.monotonic() - started >= 0.4
    assert [message.json()["key"] for message in receiver.messages] == ["k1"] * 5 + ["k3"]


def test_messages_can_come_in_the_wrong_order(payment_standin, receiver):
    paid_with(payment_standin, receiver, "reorder", seconds=0.5)
    payment_standin.tell("refund", payment="k1")
    receiver.wait_for(2)
    assert [message.json()["type"] for message in receiver.messages] == ["refund.done", "payment.paid"]


def test_messages_can_be_silenced_for_a_storm(payment_standin, receiver):
    payment_standin.tell("webhooks", enabled=False)
    paid_with(payment_standin, receiver)
    assert payment_standin.flush(1) == {"waiting": 0, "delivered": 0, "lost": 0}
    assert receiver.messages == []


# --- Faults ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("script", [{"on": "lunch", "kind": "drop"}, {"on": "start", "kind": "explode"}, {}])
def test_a_script_it_does_not_know_is_refused(payment_standin, script):
    answer = requests.post(f"{payment_standin.url}/_control/faults", json=script, timeout=5)
    assert answer.status_code == 422
    assert payment_standin.ask("faults")["faults"] == []


def test_faults_strike_as_often_as_told_and_only_what_they_name(payment_standin):
    payment_standin.misbehave("start", "error_before", times=2, skip=1, match="k-unlucky")
    seen = [create(payment_standin, key).status_code for key in ("k-lucky", *["k-unlucky"] * 4)]
    assert seen == [201, 201, 500, 500, 201]


def test_a_probability_is_repeatable_by_its_seed(payment_standin):
    runs = []
    for _run in range(2):
        payment_standin.tell("reset")
        payment_standin.misbehave("start", "error_before", times=None, rate=0.5, seed=7)
        runs.append([create(payment_standin, f"k{n}").status_code for n in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {201, 500}


def test_the_bank_counts_what_really_moved(payment_standin):
    made = create(payment_standin).json()
    payment_standin.pay("k1")
    payment_standin.misbehave("refund", "error_after")
    refund = payment_standin.http.post(
        f"{payment_standin.url}/v1/payments/{made['id']}/refunds",
        json={"amount_cents": 500, "key": "r1"},
        headers=KEY,
        timeout=5,
    )
    assert refund.status_code == 500
    totals = payment_standin.totals()
    assert (totals["captured_cents"], totals["refunded_cents"]) == (2000, 500)
    assert totals["balance_cents"] == 2000 - 53 - 500


# --- The page -------------------------------------------------------------------------------------------
def test_the_page_is_french_says_simulation_and_escapes_what_it_shows(payment_standin):
    page = payment_standin.http.get(create(payment_standin).json()["page"], timeout=5)
    assert '<html lang="fr">' in page.text
    assert "Simulation : aucune carte réelle" in page.text
    assert "Payer 20\u00a0€" in page.text
    assert "Four à pain &lt;b&gt;" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self' http://127.0.0.1:8000" in policy
    assert not re.search(r"<script| style=|onclick", page.text)


@pytest.mark.parametrize(
    ("form", "status", "where", "state"),
    [
        ({"card": "accepted", "action": "pay"}, 303, "http://127.0.0.1:8000/retour/", "paid"),
        ({"card": "pending", "action": "pay"}, 303, "http://127.0.0.1:8000/retour/", "pending"),
        ({"card": "accepted", "action": "abandon"}, 303, "http://127.0.0.1:8000/abandon/", "abandoned"),
        ({"card": "refused", "action": "pay"}, 402, None, "created"),
        ({"action": "pay"}, 422, None, "created"),
        ({"card": "gold", "action": "pay"}, 409, None, "created"),
    ],
)
def test_each_card_does_what_it_says(payment_standin, form, status, where, state):
    made = create(payment_standin).json()
    answer = payment_standin.http.post(made["page"], data=form, allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers.get("Location")) == (status, where)
    assert read(payment_standin, made)["state"] == state
    if where is None:
        assert 'role="alert"' in answer.text


def test_a_paid_page_takes_nothing_more(payment_standin):
    made = create(payment_standin).json()
    for _click in range(2):
        payment_standin.http.post(made["page"], data={"card": "accepted"}, allow_redirects=False, timeout=5)
    assert "Ce paiement est déjà accepté" in payment_standin.http.get(made["page"], timeout=5).text
    assert payment_standin.totals()["captured_cents"] == 2000


def test_an_unknown_page_says_so(payment_standin):
    page = payment_standin.http.get(f"{payment_standin.url}/payer/abc", timeout=5)
    assert page.status_code == 404
    assert "Ce paiement n'existe pas" in page.text


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_works_in_a_browser_and_has_nothing_to_reproach(
    page, payment_standin, receiver, width, scheme
):
    from axe_playwright_python.sync_playwright import Axe

    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    home = f"{payment_standin.url}/"
    made = create(payment_standin, return_url=home, cancel_url=home).json()
    page.goto(made["page"])
    page.get_by_label("Carte refusée").check()
    page.get_by_role("button", name="Payer").click()
    assert "La banque a refusé cette carte" in page.get_by_role("alert").inner_text()
    console.clear()  # the browser notes the 402 by itself
    found = Axe().run(page)
    assert [violation["id"] for violation in found.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Carte acceptée").check()
    page.get_by_role("button", name="Payer").click()
    page.wait_for_url(home)
    assert read(payment_standin, made)["state"] == "paid"
    assert console == []
