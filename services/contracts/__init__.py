"""What the services say to each other and to the gateway: messages, operations, events, errors, permissions."""
