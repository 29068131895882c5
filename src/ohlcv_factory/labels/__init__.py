"""Bars to what happened next, and until when."""
