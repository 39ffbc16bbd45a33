"""Best Image Models: one folder per Make target; see README.md."""
