"""Spans of work and what agents do for each other in them."""
