"""What ``flaskiq dev`` is made of; nothing here runs in production."""
