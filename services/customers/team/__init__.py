"""Working on a customer together: collaborators with rights that end, and handoffs from one colleague to another."""
