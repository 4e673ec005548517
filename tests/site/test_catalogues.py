"""Every sentence of the interface exists in French and in German."""

import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("theme", "defis", "participation", "fundmatch")
CATALOGUES = [(app, language) for app in APPS for language in ("fr", "de")]


def incomplete(path: Path) -> list[str]:
    po = polib.pofile(str(path))
    return [entry.msgid for entry in po if not entry.obsolete and (entry.fuzzy or not entry.translated())]


@pytest.mark.parametrize(("app", "language"), CATALOGUES)
def test_no_sentence_is_untranslated_or_doubtful(app, language):
    path = ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"
    assert incomplete(path) == []


@pytest.mark.parametrize(("app", "language"), CATALOGUES)
def test_translations_keep_the_placeholders_of_the_sentence(app, language):
    import re

    placeholder = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
    path = ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"
    for entry in polib.pofile(str(path)):
        forms = list(entry.msgstr_plural.values()) or [entry.msgstr]
        known = set(placeholder.findall(entry.msgid)) | set(placeholder.findall(entry.msgid_plural or ""))
        for form in forms:
            assert set(placeholder.findall(form)) <= known, entry.msgid
            if not entry.msgid_plural:
                assert set(placeholder.findall(form)) == known, entry.msgid


@pytest.mark.slow
def test_no_sentence_of_the_code_is_missing_from_the_catalogues(tmp_path):
    if not shutil.which("xgettext"):
        pytest.skip("gettext is absent: run `make test` as root on Debian, or install gettext")
    for name in (*APPS, "site"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    subprocess.run(
        [sys.executable, "site/catalogues.py", "collect"], cwd=tmp_path, check=True, capture_output=True
    )
    missing = {}
    for app, language in CATALOGUES:
        relative = Path(app) / "locale" / language / "LC_MESSAGES" / "django.po"
        kept = {(e.msgctxt, e.msgid) for e in polib.pofile(str(ROOT / relative))}
        found = {(e.msgctxt, e.msgid) for e in polib.pofile(str(tmp_path / relative))}
        if found != kept:
            missing[f"{app} {language}"] = sorted(str(m) for m in found ^ kept)
    assert missing == {}, "run `make messages`, then translate"
