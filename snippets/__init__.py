"""The generator: a web goal in, the code that a site and an Auth0 tenant need out.

Plain data in, text out. Nothing here knows Flask, a database or the network.
"""
