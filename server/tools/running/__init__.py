"""Programs that are run for an agent, whatever tool it asks with."""
