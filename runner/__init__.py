"""Back up, export and restore applications with declarative blueprints."""

__version__ = "0.1.0"
