"""Why somebody may or may not do something to a customer or in a pool: judged by the very questions that requests ask."""
