"""The built-in functions, one file each."""
