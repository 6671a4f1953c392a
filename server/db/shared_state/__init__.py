"""What all who share the file have in common: settings, and calls that were answered already."""
