"""Rows of the catalogue: names, sizes and published figures of each family of networks."""
