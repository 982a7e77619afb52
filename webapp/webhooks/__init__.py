"""Webhooks that Websync sends: signed, and only to places that may be called."""
