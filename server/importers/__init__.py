"""Importers: each layout is a module that recognises a source, reads it, and maps it to rows."""
