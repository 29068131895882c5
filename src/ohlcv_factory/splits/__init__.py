"""Label spans to rows to learn from."""
