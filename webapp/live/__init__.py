"""The Live page: received tokens and logins, what came of them, kept and shown."""
