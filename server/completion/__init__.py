"""How a command line that is being typed may go on."""
