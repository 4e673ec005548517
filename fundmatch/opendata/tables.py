"""Tables with a schema: one definition gives the CSV, its Frictionless description and its dictionary."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: what a spreadsheet would take for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is a Frictionless one; machine names are French, stable, without accents."""

    name: str
    title: str
    type: str = "string"
    required: bool = True
    pattern: str = ""

    def field(self) -> dict[str, Any]:
        """Return the Frictionless description of the column."""
        constraints: dict[str, Any] = {"required": True} if self.required else {}
        if self.pattern:
            constraints["pattern"] = self.pattern
        described: dict[str, Any] = {"name": self.name, "title": self.title, "type": self.type}
        if self.type == "boolean":
            described |= {"trueValues": ["oui"], "falseValues": ["non"]}
        return described | ({"constraints": constraints} if constraints else {})


@dataclass(frozen=True, slots=True)
class Table:
    """A file of the open data."""

    name: str
    title: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def csv(self, rows: Iterable[Sequence[Any]]) -> str:
        """Return comma-separated text with a header; what a spreadsheet would execute is quoted."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([column.name for column in self.columns])
        for row in rows:
            writer.writerow([_cell(value) for value in row])
        return out.getvalue()

    def schema(self) -> dict[str, Any]:
        """Return the Frictionless Table Schema."""
        schema: dict[str, Any] = {
            "fields": [column.field() for column in self.columns],
            "missingValues": [""],
        }
        return schema | ({"primaryKey": list(self.key)} if self.key else {})

    def resource(self) -> dict[str, Any]:
        """Return the Frictionless description of the file."""
        return {
            "name": self.name,
            "title": self.title,
            "path": f"{self.name}.csv",
            "profile": "tabular-data-resource",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "dialect": {"delimiter": ",", "lineTerminator": "\r\n"},
            "schema": self.schema(),
        }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
