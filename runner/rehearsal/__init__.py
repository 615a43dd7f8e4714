"""Rehearsals: an action runs in the real engine, its functions are played, and what comes of it is compared."""
