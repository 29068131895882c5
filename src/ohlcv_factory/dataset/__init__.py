"""Arrays that a model can eat."""
