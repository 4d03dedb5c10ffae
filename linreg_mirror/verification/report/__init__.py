"""The ledger as JSON, as a table for the terminal, and as a page."""

from linreg_mirror.verification.report.content import as_json, write
from linreg_mirror.verification.report.page import as_html
from linreg_mirror.verification.report.terminal import as_table, as_text, legend, summary

__all__ = ["as_html", "as_json", "as_table", "as_text", "legend", "summary", "write"]
