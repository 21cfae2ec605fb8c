"""Which fields of a customer who sees and changes, and the reveals of masked ones."""
