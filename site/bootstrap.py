"""Make the virtual environment, and nothing twice. Standard library only: it runs before anything exists.

python3 site/bootstrap.py run|test
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = {"run": "requirements.txt", "test": "requirements-test.txt"}
# What browser tests and the catalogues' check need from Debian.
SYSTEM = {
    "chromium": ("chromium", "fonts-liberation", "fonts-dejavu-core"),
    "xgettext": ("gettext",),
}


def say(text: str) -> None:
    print(f"  · {text}", flush=True)


def stop(text: str) -> None:
    print(f"\n  ✗ {text}\n", file=sys.stderr)
    raise SystemExit(1)


def debian_root() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def apt_install(*packages: str) -> bool:
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=400"]
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    install = [*apt, "install", "--no-install-recommends", *packages]
    if subprocess.run(install, stderr=subprocess.DEVNULL, check=False, **quiet).returncode == 0:
        return True
    # A fresh machine has no package lists yet.
    subprocess.run([*apt, "update"], check=False, **quiet)
    return subprocess.run(install, check=False, **quiet).returncode == 0


def digest_of(kind: str) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.txt", "requirements-test.txt", "constraints.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return f"{kind} {digest.hexdigest()}"


def make_venv() -> None:
    if (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode
        == 0
    ):
        return
    say("making a virtual environment in .venv")
    shutil.rmtree(VENV, ignore_errors=True)  # a half-made one is worse than none
    command = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if debian_root() and (apt_install(f"python{version}-venv") or apt_install("python3-venv")):
        if subprocess.run(command, check=False).returncode == 0:
            return
    stop(
        f"Python's venv module does not work here. On Debian or Ubuntu: apt install python{version}-venv, then again."
    )


def install(kind: str) -> None:
    # Test requirements include those of `run`.
    stamp = VENV / ".abonde-ready"
    ready = stamp.read_text().splitlines() if stamp.exists() else []
    if digest_of(kind) in ready or digest_of("test") in ready:
        return
    say(f"installing what {REQUIREMENTS[kind]} names (a minute or two, once)")
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS[kind],
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        if any(
            word in done.stderr
            for word in ("NewConnectionError", "Temporary failure", "ConnectionError", "Max retries")
        ):
            stop(
                "The package index cannot be reached. Connect to the network (or set PIP_INDEX_URL), then again:\n"
                "    nothing is lost, what was installed stays.\n\n" + tail
            )
        stop("pip could not install the requirements:\n\n" + tail)
    stamp.write_text("\n".join([digest_of(kind)]) + "\n")


def system_packages() -> None:
    """Chromium and gettext for the tests; elsewhere than Debian as root, say what is missing."""
    for command, packages in SYSTEM.items():
        if shutil.which(command):
            continue
        if debian_root():
            say(f"installing {' '.join(packages)} from Debian")
            if apt_install(*packages):
                continue
        say(
            f"missing: {command} (packages {' '.join(packages)}); the tests that need it will be skipped, loudly"
        )


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    if kind not in REQUIREMENTS:
        stop("Say what for: python3 site/bootstrap.py run|test")
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads this line
        stop(
            f"Python 3.11 or newer is needed; this one is {sys.version.split()[0]}. Try: make PYTHON=python3.12 {kind}"
        )
    make_venv()
    install(kind)
    if kind == "test":
        system_packages()


if __name__ == "__main__":
    main()
