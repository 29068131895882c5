"""Is it honest? Checks that no feature, label or fitted state knows what it could not have known."""
