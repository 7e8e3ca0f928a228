"""A run on disk: from a job to files, reports and progress."""
