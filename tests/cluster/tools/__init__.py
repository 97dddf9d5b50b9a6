"""The programs of the test cluster, built from Go modules: nothing here is downloaded as a binary.

Each folder beside this file holds one committed go.mod and go.sum: they pin every byte that goes into a program, and
the checksum database vouches for them. What is built lands outside the checkout, keyed by those files and by Go.
"""
