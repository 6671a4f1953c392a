"""Exporters: what the database holds, as files."""
