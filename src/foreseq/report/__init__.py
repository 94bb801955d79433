"""What an experiment brought, to be looked at: pictures and pages."""

from foreseq.report.page import Findings, decision_page, page, with_decision
from foreseq.report.pictures import pictures

__all__ = ["Findings", "decision_page", "page", "pictures", "with_decision"]
