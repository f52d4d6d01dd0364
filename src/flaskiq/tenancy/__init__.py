"""What an app does for the tenant of a job: function tasks, database sessions, transactions."""
