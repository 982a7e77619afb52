"""Sign-in of admins, and the record of what they changed."""
