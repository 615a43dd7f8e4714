"""The command line: reads options, calls the application, prints. Nothing else may print."""
