"""What a user can do, one verb a file: each says why it cannot run, runs, and reports."""
