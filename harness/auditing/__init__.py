"""Auditing: looks at a record before anybody believes it, beside suite data, catalog and the task's arithmetic."""
