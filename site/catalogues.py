"""Interface sentences: collect them from the code, compile them without gettext.

python site/catalogues.py collect    needs xgettext; keeps translations, fails on none
python site/catalogues.py compile    pure Python
python site/catalogues.py merge F…   takes {"msgid": {"fr": …, "de": …}} files into the catalogues
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parents[1]
APPS = ("theme", "defis", "participation", "fundmatch")
LANGUAGES = ("fr", "de")
HEADER = {
    "Project-Id-Version": "wagtail-abonde",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
}
PLURALS = {"fr": "nplurals=2; plural=(n > 1);", "de": "nplurals=2; plural=(n != 1);"}


def catalogue(app: str, language: str) -> Path:
    return ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"


def collect() -> None:
    """Run makemessages per app, then write the files without line numbers so that diffs stay readable."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT / "site"),
        "DEBUG": "1",
        "PYTHONSAFEPATH": "1",  # run inside an app, whose selectors.py is not the standard library's
    }
    for app in APPS:
        (ROOT / app / "locale").mkdir(exist_ok=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "django",
                "makemessages",
                "-v0",
                "--no-location",
                "--no-wrap",
                *(f"-l{language}" for language in LANGUAGES),
            ],
            cwd=ROOT / app,
            env=environment,
            check=True,
        )
        for language in LANGUAGES:
            path = catalogue(app, language)
            if not path.exists():
                continue
            po = polib.pofile(str(path), wrapwidth=0)
            for entry in po.obsolete_entries():
                po.remove(entry)
            po.metadata = {**HEADER, "Language": language, "Plural-Forms": PLURALS[language]}
            po.header = ""
            po.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ""))
            po.save()


def compile_all() -> None:
    for app in APPS:
        for path in sorted((ROOT / app / "locale").glob("*/LC_MESSAGES/django.po")):
            compiled = path.with_suffix(".mo")
            if not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime:
                polib.pofile(str(path)).save_as_mofile(str(compiled))


def merge(files: list[str]) -> None:
    known: dict[tuple[str | None, str], dict] = {}
    for name in files:
        for key, translations in json.loads(Path(name).read_text(encoding="utf-8")).items():
            context, _, msgid = key.rpartition("\x04")
            known[(context or None, msgid.split("||")[0])] = translations
    for app in APPS:
        for language in LANGUAGES:
            path = catalogue(app, language)
            if not path.exists():
                continue
            po = polib.pofile(str(path), wrapwidth=0)
            for entry in po:
                found = known.get((entry.msgctxt, entry.msgid), {}).get(language)
                if not found or (entry.translated() and not entry.fuzzy):
                    continue
                if entry.msgid_plural:
                    forms = found if isinstance(found, list) else [found, found]
                    entry.msgstr_plural = dict(enumerate(forms))
                else:
                    entry.msgstr = found if isinstance(found, str) else found[0]
                entry.flags = [flag for flag in entry.flags if flag != "fuzzy"]
            po.save()


if __name__ == "__main__":
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "collect":
        collect()
        compile_all()
    elif verb == "compile":
        compile_all()
    elif verb == "merge":
        merge(sys.argv[2:])
    else:
        raise SystemExit(__doc__)
