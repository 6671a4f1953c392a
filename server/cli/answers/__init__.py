"""The commands with which a person answers what waits for one, and sets what all servers share."""
