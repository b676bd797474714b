"""What people read and look at: one self-contained page, figures, tables and contact sheets, from stored results only."""

from galsmith.report.sheets.look import look
from galsmith.report.write import write_report

__all__ = ["look", "write_report"]
