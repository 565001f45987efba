"""What `make` calls: set-up, and the grid with its progress."""
