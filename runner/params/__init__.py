"""From what a person gives (options, files, environment) to the values that a plan and a run work with."""
