"""YAML text to nodes with positions, and findings about them."""
