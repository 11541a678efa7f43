"""The report of an evaluation for people: one content, written as Markdown and as HTML."""

from .write import write_report

__all__ = ["write_report"]
