"""Templates of level 1: Jinja2 with an allow-list, typed values and lazy secrets."""
