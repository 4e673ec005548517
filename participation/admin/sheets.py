"""Figures as files: CSV for a French spreadsheet or for a program, XLSX. Formulas are neutralised."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify

from participation.payments.reconciliation import as_xlsx

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def inert(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with an apostrophe; figures stay figures."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def csv_line(row: Iterable[Any], *, plain: bool) -> str:
    """One line: semicolons and decimal commas, or (plain) commas and decimal points."""
    out = io.StringIO()
    cells = [_amount(inert(cell), "." if plain else ",") for cell in row]
    csv.writer(out, delimiter="," if plain else ";", lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def csv_text(rows: Iterable[Iterable[Any]], *, plain: bool) -> str:
    """The whole file; for a French spreadsheet it begins with a byte order mark, else accents are lost."""
    return ("" if plain else BOM) + "".join(csv_line(row, plain=plain) for row in rows)


def wanted_format(request: HttpRequest) -> str:
    """What the address asks: "csv" (semicolons and BOM), "csv-plain" (commas, no BOM), "xlsx", or ""."""
    asked = request.GET.get("export", "")
    return asked if asked in {"csv", "csv-plain", "xlsx"} else ""


def file_response(rows: Iterable[list[Any]], *, name: str, format: str) -> HttpResponse:
    """The rows as an attachment."""
    filename = slugify(name)[:80] or "export"
    if format == "xlsx":
        response = HttpResponse(as_xlsx(rows, filename), content_type=XLSX)
    else:
        response = HttpResponse(
            csv_text(rows, plain=format == "csv-plain"), content_type="text/csv; charset=utf-8"
        )
    response["Content-Disposition"] = f'attachment; filename="{filename}.{format.partition("-")[0]}"'
    return response


def _amount(cell: Any, point: str) -> Any:
    return f"{cell:.2f}".replace(".", point) if isinstance(cell, float) else cell
