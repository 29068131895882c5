"""The networks: one file each, holding its settings and its encoder."""
