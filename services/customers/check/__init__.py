"""The collision check against the database, what it is set to, and under what customers are filed for it."""
