"""What everything rests on and what knows nothing about blueprints: errors, places, clocks, identifiers, secrets."""
