"""Files in, checked bars out."""
