"""Rules and a judge check every caption; each rejection names its item."""
