"""The registered version answers a real embedding through its own server."""
