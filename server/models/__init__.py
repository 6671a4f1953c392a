"""Frozen models of rows and results."""
