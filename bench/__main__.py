"""`make bench`: every table, one after the other. Ratios of one run; absolute times mean little on a shared machine."""

import subprocess
import sys

TABLES = ("bench.calculation", "bench.shadow")


def main() -> int:
    worst = 0
    for name in TABLES:
        print(f"\n== {name} ==", flush=True)
        worst = max(
            worst, subprocess.run([sys.executable, "-m", name, *sys.argv[1:]], check=False).returncode
        )
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
