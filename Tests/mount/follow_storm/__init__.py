"""A branch that gets a commit every second, and readers of a mount that follows it."""
