"""What everything stands on: arguments, matrices, factorisations, threads."""
