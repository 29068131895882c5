"""Classical models: forest, linear, kernel."""
