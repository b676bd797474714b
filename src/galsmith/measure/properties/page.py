"""The page of all measured quantities, rendered from their declarations."""

from galsmith.measure.properties.declared import DECLARED
from galsmith.measure.properties.property import Property


def properties_markdown() -> str:
    """Render all properties as the Markdown tables of ``docs/properties.md``."""
    lines: list[str] = []
    for group in dict.fromkeys(entry.group for entry in DECLARED):
        lines += [
            f"## {group}",
            "",
            "| column | symbol | unit | headline | definition |",
            "|---|---|---|---|---|",
        ]
        lines += [_markdown_row(entry) for entry in DECLARED if entry.group == group]
        lines.append("")
    return "\n".join(lines)


def _markdown_row(entry: Property) -> str:
    """Render one property as a row."""
    unit = "flux unit of the set" if entry.unit == "flux" else entry.unit or "–"
    period = " Circular, period pi." if entry.is_circular else ""
    symbol = entry.symbol.replace("|", r"\|")
    definition = entry.definition.replace("|", r"\|")
    return (
        f"| `{entry.name}` | {symbol} | {unit} | {'yes' if entry.headline else ''} | {definition}.{period} |"
    )
