"""All SQL of the numbers: a plan written as one statement, and what is read beside it."""
