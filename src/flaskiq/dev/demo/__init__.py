"""What ``flaskiq demo`` shows: a shop that is made up, its jobs, and what keeps them coming."""
