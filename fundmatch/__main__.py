"""The command line of fundmatch: `python -m fundmatch --help`. Needs neither Django nor a database."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from fundmatch.engine import DossierError, InputError
from fundmatch.engine.canonical import canonical_text, load_json
from fundmatch.engine.dossier import verify_dossier, verify_receipt
from fundmatch.engine.explain import explain, in_english
from fundmatch.engine.limits import MAX_CENTS
from fundmatch.engine.pabulib import input_from_election, read_pb
from fundmatch.engine.problem import RULES
from fundmatch.engine.progress import ProgressBar
from fundmatch.engine.reading import read_input, read_with_csv
from fundmatch.engine.result import compute_problem
from fundmatch.engine.tables import DEFAULT_M_CENTS, as_csv, as_text, compare_rules, comparison_rows
from fundmatch.engine.version import engine_name

OK, DIFFERS, BAD_INPUT = 0, 1, 2

_DESCRIPTION = """\
Shares complementary money over the projects that residents supported, to the
cent, by the published rules (fundmatch/1), and checks what others published.
"""

_EPILOG = """\
examples:
  python -m fundmatch verify results-2026.zip
      Redo a published result. Answers "identical", or "differs" and where.
  python -m fundmatch compute input.json -o result.json
      Compute a result of your own. Amounts are whole cents: 2500 is 25 €.
  python -m fundmatch compute rules.json --contributions gifts.csv -o result.json
      The same with the gifts in a spreadsheet saved as CSV: donor,project,cents.
  python -m fundmatch compare input.json
      The same gifts under every rule, side by side.
  python -m fundmatch from-pb poland_warszawa_2026.pb -o input.json
      Turn an election from pabulib.org into an input.

exit codes: 0 fine; 1 the dossier differs; 2 the input is wrong (the row is named on stderr).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except (InputError, DossierError) as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except MemoryError:
        _complain("not enough memory for this input")
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fundmatch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=engine_name())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    compute = commands.add_parser(
        "compute",
        help="compute the result of an input",
        description="Compute what each project receives and what each funder pays. The result is JSON, "
        "the same to the byte on every machine; its two SHA-256 digests stand for the input and the result.",
    )
    _add_input(compute)
    _add_output(compute, "the result")
    compute.add_argument(
        "--explain", action="store_true", help="say in English, on stderr, why each project gets what it gets"
    )
    compute.set_defaults(command=_compute)

    verify = commands.add_parser(
        "verify",
        help="redo a published dossier",
        description="Compute the result of a published dossier again and compare everything. "
        'Prints "identical" (exit code 0), or "differs" and the first difference (exit code 1). '
        "Then compare the digest it prints with the one published elsewhere: see README.txt in the dossier.",
    )
    verify.add_argument("dossier", type=Path, metavar="DOSSIER.zip", help="the zip from the results page")
    verify.add_argument(
        "--result-sha256", metavar="HEX", help="the digest published elsewhere, to be compared as well"
    )
    verify.add_argument(
        "--receipt", type=Path, metavar="RECEIPT.json", help="check also that this receipt is in the dossier"
    )
    verify.set_defaults(command=_verify)

    compare = commands.add_parser(
        "compare",
        help="the same gifts under every rule",
        description="Share the same money over the same gifts by every rule, without caps or "
        "threshold, and print a table: euros per project, largest share, Gini coefficient, places changed.",
    )
    _add_input(compare)
    _add_output(compare, "the table")
    compare.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="(default: table)"
    )
    compare.add_argument(
        "--m-cents",
        type=_whole_cents,
        default=DEFAULT_M_CENTS,
        metavar="CENTS",
        help="the M of the pairwise rule, in cents (default: %(default)s)",
    )
    compare.set_defaults(command=_compare)

    simulate = commands.add_parser(
        "simulate",
        help="replay past gifts under several sets of rules",
        description="Before a campaign opens: what the gifts of the last one, or of an election, would have "
        "received under each set of parameters. VARIANTS.json is a list of objects with a name, pots and a "
        "threshold (or none), as an input writes them. Prints the whole comparison as JSON.",
    )
    _add_input(simulate)
    simulate.add_argument("variants", type=Path, metavar="VARIANTS.json", help="the sets of parameters")
    _add_output(simulate, "the comparison")
    simulate.set_defaults(command=_simulate)

    from_pb = commands.add_parser(
        "from-pb",
        help="turn an election from pabulib.org into an input",
        description="Read a Pabulib file. A vote becomes contributions: each approved project (or point) "
        "is worth the same amount. Goals are the costs; one pot has the budget of the election.",
    )
    from_pb.add_argument("election", type=Path, metavar="ELECTION.pb")
    _add_output(from_pb, "the input")
    from_pb.add_argument(
        "--cents",
        type=_whole_cents,
        default=1000,
        metavar="CENTS",
        help="what an approval or a point is worth (default: %(default)s, that is 10 €)",
    )
    from_pb.add_argument(
        "--budget-cents", type=_whole_cents, metavar="CENTS", help="instead of the election's budget"
    )
    from_pb.add_argument(
        "--rule", choices=RULES, default="quadratic", help="of the pot (default: %(default)s)"
    )
    from_pb.set_defaults(command=_from_pb)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", metavar="INPUT.json", help="the input, or - to read it from the standard input"
    )
    parser.add_argument(
        "--contributions",
        type=Path,
        metavar="GIFTS.csv",
        help="take the gifts from a CSV file with the columns donor,project,cents; "
        "INPUT.json then has no contributions",
    )


def _add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"write {what} there instead of printing it"
    )


def _whole_cents(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= MAX_CENTS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of cents")
    return int(text)


def _compute(options: argparse.Namespace) -> int:
    value = _read(options.input)
    with ProgressBar() as progress:
        if options.contributions is None:
            problem = read_input(value)
        else:
            problem = read_with_csv(
                _frame(value), options.contributions, lambda share: progress("reading", share)
            )
        result = compute_problem(problem, progress)
    _write(canonical_text(result), options.output)
    if options.explain:
        frame = {key: item for key, item in value.items() if key not in ("contributions", "statistics")}
        for project, facts in explain(frame, result).items():
            sys.stderr.write(_printable(f"{project}: {' '.join(map(in_english, facts))}", sys.stderr) + "\n")
    return OK


def _verify(options: argparse.Namespace) -> int:
    outcome = verify_dossier(options.dossier)
    difference = outcome.first_difference
    expected = options.result_sha256
    if difference is None and expected is not None and expected.strip().lower() != outcome.result_sha256:
        difference = f"result_sha256: published elsewhere {expected}, computed {outcome.result_sha256}"
    if difference is None and options.receipt is not None:
        receipt = load_json(options.receipt.read_bytes(), name=options.receipt.name)
        if not verify_receipt(options.dossier, receipt):
            difference = "the receipt is not in this dossier"
    if difference is not None:
        sys.stdout.write(_printable(f"differs: {difference}", sys.stdout) + "\n")
        return DIFFERS
    sys.stdout.write(
        f"identical\ninput_sha256  {outcome.input_sha256}\nresult_sha256 {outcome.result_sha256}\n"
        f"merkle_root   {outcome.merkle_root}\n"
    )
    if options.receipt is not None:
        sys.stdout.write("the receipt is in this dossier\n")
    return OK


def _compare(options: argparse.Namespace) -> int:
    value = _read(options.input)
    if options.contributions is not None:
        value = _frame(value) | {"contributions": _rows(value, options.contributions)}
    if options.format == "json":
        # The whole shadow analysis; loaded only here, a result needs none of it.
        from fundmatch.engine.shadow import compare

        text = json.dumps(compare(value), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    else:
        rows = comparison_rows(compare_rules(value, m_cents=options.m_cents))
        text = as_csv(rows) if options.format == "csv" else as_text(rows)
    _write(text, options.output)
    return OK


def _simulate(options: argparse.Namespace) -> int:
    # Loaded only here: a result needs none of it.
    from fundmatch.engine.simulator import Variant, replay

    value = _read(options.input)
    if options.contributions is not None:
        value = _frame(value) | {"contributions": _rows(value, options.contributions)}
    rows = load_json(options.variants.read_bytes(), name=options.variants.name)
    if type(rows) is not list or not rows:
        raise InputError("variants", "must be a list of at least one set of parameters")
    variants = []
    for number, row in enumerate(rows, 1):
        if type(row) is not dict or type(row.get("name")) is not str or type(row.get("pots")) is not list:
            raise InputError(f"variants row {number}", "needs a name and a list of pots")
        if unknown := set(row) - {"name", "pots", "threshold"}:
            raise InputError(f"variants row {number}", f"unknown field {min(unknown)}")
        variants.append(Variant(row["name"], row["pots"], row.get("threshold")))
    report = replay(value, variants)
    _write(json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True) + "\n", options.output)
    return OK


def _from_pb(options: argparse.Namespace) -> int:
    election = read_pb(options.election)
    value = input_from_election(
        election, cents_per_point=options.cents, budget_cents=options.budget_cents, rule=options.rule
    )
    read_input(value)
    _write(canonical_text(value), options.output)
    return OK


def _read(name: str) -> Any:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    value = load_json(data, name="standard input" if name == "-" else Path(name).name)
    if type(value) is not dict:
        raise InputError("input", "must be an object")
    return value


def _frame(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("contributions") or "statistics" in value:
        raise InputError("input", "has gifts of its own; with --contributions it must not")
    return {key: item for key, item in value.items() if key != "contributions"}


def _rows(value: dict[str, Any], path: Path) -> list[list[Any]]:
    """Return the gifts of a CSV file as rows of an input."""
    money: Any = read_with_csv(_frame(value), path).money
    return [
        [money.donor_ids[donor], money.project_ids[project], cents, *([] if match else [{"match": False}])]
        for donor, project, cents, match in money.in_time()
    ]


def _write(text: str, output: Path | None) -> None:
    if output is not None:
        output.write_text(text, encoding="utf-8", newline="")
        return
    # Bytes, so that the result is UTF-8 with bare line feeds on every system.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _complain(message: str) -> None:
    sys.stderr.write(_printable(f"fundmatch: {message}", sys.stderr) + "\n")


def _printable(text: str, stream: TextIO) -> str:
    """Return text that a terminal can show: no control characters, nothing its encoding lacks."""
    clean = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    encoding = stream.encoding or "ascii"
    return clean.encode(encoding, "backslashreplace").decode(encoding)


if __name__ == "__main__":
    try:
        code = main()
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        code = OK
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
