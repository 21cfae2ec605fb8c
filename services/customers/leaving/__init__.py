"""Leaving with handover: what somebody has held goes to colleagues or to the agency pool, all else of his ends."""
