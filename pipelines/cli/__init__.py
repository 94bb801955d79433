"""The commands. Each reads its arguments, runs the flow of its name and prints the result."""
