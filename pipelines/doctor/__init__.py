"""``clsp doctor``: what of the platform works here, what does not, and the sentence that mends it.

Each module looks at one part and gives findings; none raises, changes anything that stays, or waits without a deadline.
"""
