"""Networks built on attention, and TimesNet."""
