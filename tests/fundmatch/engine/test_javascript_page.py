"""The button of the results page in a real browser, under the site's strict content security policy."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fundmatch.engine import compute
from fundmatch.engine.dossier import pseudonymise, write_dossier

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "fundmatch/static/fundmatch"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
KEY = b"k" * 32
INPUT: dict[str, Any] = {
    "spec": "fundmatch/1",
    "projects": [{"id": "vélo", "goal_cents": 1000}, {"id": "mare", "goal_cents": 1000}],
    "contributions": [[f"d{k}", project, 500 + k] for k in range(8) for project in ("vélo", "mare")],
    "pots": [{"id": "fonds", "rule": "quadratic", "budget_cents": 5_000, "mode": "normalise"}],
    "threshold": {"ratio": "3/4", "base": "total"},
}

pytestmark = [pytest.mark.browser, pytest.mark.peer]


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    for name in ("verify.mjs", "verify-page.js"):
        (tmp_path / name).write_bytes((STATIC / name).read_bytes())
    (tmp_path / "favicon.ico").touch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def results_page(site: tuple[Path, str], page: Any) -> Callable[..., Any]:
    folder, url = site
    hidden = pseudonymise(INPUT, KEY)
    info = write_dossier(folder / "dossier.zip", hidden, compute(hidden), rules_text="Règlement", key=KEY)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))

    def show(digest: str | None = None, dossier: str = "dossier.zip", output: str = "said") -> Any:
        attributes = {
            "data-dossier-url": dossier,
            "data-result-sha256": digest or info.result_sha256,
            "data-output": output,
            "data-message-working": "Calcul en cours…",
            "data-message-identical": "Identique : %(digest)s",
            "data-message-different": "Différent : %(where)s",
            "data-message-failed": "Impossible : %(reason)s",
        }
        written = " ".join(f'{name}="{escape(text)}"' for name, text in attributes.items())
        (folder / "index.html").write_text(
            "<!doctype html><html lang=fr><meta charset=utf-8><title>Résultats</title>"
            f"<p><button type=button hidden data-fundmatch-verify {written}>Refaire le calcul</button>"
            '<p id=said role=status></p><script type="module" src="verify-page.js"></script>',
            encoding="utf-8",
        )
        page.goto(url)
        page.faults, page.digest = faults, info.result_sha256
        return page

    return show


def _click(page: Any) -> Any:
    page.get_by_role("button", name="Refaire le calcul").click()
    page.wait_for_selector("[data-verdict]")
    return page.get_by_role("status")


def test_a_reader_redoes_the_result_by_one_click(results_page: Callable[..., Any]) -> None:
    page = results_page()
    status = _click(page)
    assert status.inner_text() == f"Identique : {page.digest}"
    assert status.get_attribute("data-verdict") == "identical"
    assert page.faults == []


def test_the_page_says_it_is_working_and_can_be_asked_again(results_page: Callable[..., Any]) -> None:
    page = results_page()
    _click(page)
    assert page.get_by_role("button").get_attribute("aria-disabled") is None
    assert _click(page).inner_text().startswith("Identique")


def test_a_consistent_dossier_that_is_not_the_announced_one_is_different(
    results_page: Callable[..., Any],
) -> None:
    page = results_page(digest="0" * 64)
    status = _click(page)
    assert status.inner_text() == f"Différent : result_sha256 {page.digest}"


def test_a_tampered_dossier_is_different_and_the_place_is_named(
    results_page: Callable[..., Any], site: tuple[Path, str]
) -> None:
    page = results_page()
    path = site[0] / "dossier.zip"
    with zipfile.ZipFile(path) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    files["result.json"] = files["result.json"].replace(b'"donors":8', b'"donors":9', 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert _click(page).inner_text() == "Différent : projects.mare.donors: published 9, recomputed 8"


def test_a_missing_dossier_is_a_sentence_and_not_a_silence(results_page: Callable[..., Any]) -> None:
    status = _click(results_page(dossier="absent.zip"))
    assert status.inner_text() == "Impossible : HTTP 404"


def test_without_a_place_to_speak_the_button_stays_hidden(results_page: Callable[..., Any]) -> None:
    page = results_page(output="elsewhere")
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("button").count() == 0
