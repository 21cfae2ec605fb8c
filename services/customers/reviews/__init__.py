"""Entries that came near others, for a person to judge."""
