"""Pools, where customers lie whom nobody holds."""
