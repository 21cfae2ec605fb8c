"""HTTP for people and programs: the only door. Speaks nameko's RPC to the services and keeps no state of its own."""
