"""What moved on disk: project folders, and the data root itself."""
