"""What people read and look at: one self-contained page, figures and tables, from stored results only."""

from galsmith.report.write import write_report

__all__ = ["write_report"]
