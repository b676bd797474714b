"""The panels of a report: what the page and the figures show of sets, laid out once for both."""
