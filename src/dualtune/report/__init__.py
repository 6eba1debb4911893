"""The report: one self-contained HTML page about a run."""

from dualtune.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
