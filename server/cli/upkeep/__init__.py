"""The commands that keep a store sound."""
