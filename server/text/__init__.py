"""Pure readers of text, without state."""
