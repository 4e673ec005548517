"""Other programs as judges: installed once under .cache, started on the loopback, ended by their own pid."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("ABONDE_PEER_CACHE", ROOT / ".cache" / "peers"))


def need(*programs: str) -> None:
    """Skip, loudly, when a program of this machine is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"NOT JUDGED by another program: {', '.join(missing)} absent from this machine")


def installed(name: str, sources: list[Path], install: Callable[[Path], None]) -> Path:
    """The folder where `install` put a peer, made again when its sources change. One installer at a time."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    lock = CACHE / f"{name}.lock"
    with lock.open("w") as held:
        import fcntl

        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            try:
                install(half)
            except (OSError, subprocess.SubprocessError) as error:
                shutil.rmtree(half, ignore_errors=True)
                pytest.skip(f"NOT JUDGED by {name}: it could not be installed ({error})")
            half.rename(folder)
    return folder


@contextmanager
def running(command: list[str], *, log: Path, cwd: Path, **environment: str) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, ended with its children."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(10)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(ready: Callable[[], object], process: subprocess.Popen, log: Path, *, seconds: float) -> object:
    """What `ready` returns once it is true. Fails with the end of the log when the process ends or time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if answer := ready():
            return answer
        time.sleep(0.1)
    pytest.fail(f"the peer did not start:\n{log.read_text()[-2000:]}")
