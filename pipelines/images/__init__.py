"""The images of the platform: what each role needs, how they are built with the tool at hand, and what is inside them.

``make images`` builds them, prints their sizes and writes a bill of materials of each.
"""
