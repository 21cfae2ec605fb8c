"""Web-registered members: how they come in, what each turns out to be, and who receives it."""
