"""The service: Flask app, token service, profile store, demo tenant."""
