"""`./qudao demo`: the main job of the system, played over HTTP as the people of two agencies would, and checked step by step.

Standard library only, and nothing of the system but its HTTP interface (and `embedded`, to start one of its own).
"""
