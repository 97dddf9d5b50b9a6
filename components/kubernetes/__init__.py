"""The one door to a cluster: everything else makes plain objects by pure functions and hands them over here."""
