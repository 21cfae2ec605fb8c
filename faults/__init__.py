"""The campaign of faults: the whole system under load, and what must hold after everything that can happen to it."""
