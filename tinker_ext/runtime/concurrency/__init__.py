"""The background loop and its futures, deadlines, budgets and turns."""
