"""Finding customers by anything that is known of them: search, filters, order, counts, saved views."""
