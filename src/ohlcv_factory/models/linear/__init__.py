"""Linear maps over the window."""
