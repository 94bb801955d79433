"""What an experiment brought, to be looked at: pictures and pages."""

from foreseq.report.pictures import pictures

__all__ = ["pictures"]
