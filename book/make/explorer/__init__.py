"""The explorer: pages that show every query of the committed runs with what was found."""
