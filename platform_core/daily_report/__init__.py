"""The report of one production date: OEE of each line, the loss behind it, and the rows that could not be used."""
