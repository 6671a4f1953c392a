"""Rules that several tools share and that need a module of their own."""
