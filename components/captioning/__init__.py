"""What annotate and verify share: units of work against a chat endpoint, done by one process or by pods of a Job."""
