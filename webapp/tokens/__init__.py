"""The token service: POST /sync/<goal>/token."""
