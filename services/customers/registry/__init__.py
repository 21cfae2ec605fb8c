"""The record of a customer: entering, changing, finding it."""
