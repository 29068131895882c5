"""One run: a fitted model with everything that belongs to it."""
