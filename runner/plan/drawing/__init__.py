"""Pictures of plans: SVG with a layered layout of our own, and Mermaid."""
