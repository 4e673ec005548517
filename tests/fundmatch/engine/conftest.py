"""Vectors, whole results, and interpreters that have neither Django nor NumPy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def whole_results() -> list[dict]:
    """The 42 whole results, digests included, of an independent plain implementation of the text."""
    return json.loads((DATA / "results.json").read_text())["results"]


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("bare")
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    probe = "import importlib.util as u; print([n for n in ('django', 'numpy', 'wagtail') if u.find_spec(n)])"
    found = subprocess.run([python, "-c", probe], check=True, capture_output=True, text=True, cwd=folder)
    assert found.stdout.strip() == "[]"
    return python


@pytest.fixture(scope="session")
def fundmatch():
    """Run `python -m fundmatch …` as a process; returns it completed, output in bytes."""

    def run(*arguments, python=sys.executable, **environment):
        return subprocess.run(
            [python, "-m", "fundmatch", *map(str, arguments)],
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )

    return run


@pytest.fixture
def compute_by_command(tmp_path, capfdbinary):
    """Compute an input through the command line, in this process; returns the result."""
    from fundmatch.__main__ import main

    def compute(value: dict) -> dict:
        path = tmp_path / "input.json"
        path.write_text(json.dumps(value, ensure_ascii=False))
        code = main(["compute", str(path)])
        written = capfdbinary.readouterr()
        assert code == 0, written.err.decode()
        return json.loads(written.out)

    return compute
