"""What every network shares. Only model files import this package: it needs torch."""
