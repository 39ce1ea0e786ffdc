"""hubfs beside its yardsticks: the rows of `scripts/bench`, and how they are measured and shown."""
