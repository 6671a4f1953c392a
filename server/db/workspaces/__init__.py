"""Workspaces, their aliases and links, and how much they hold."""
