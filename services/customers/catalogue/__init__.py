"""What headquarters lays down for the records of customers: dictionaries and fields of its own."""
