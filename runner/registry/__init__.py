"""What functions, drivers and locations implement, and the registry that holds them. Public surface for plugins."""
