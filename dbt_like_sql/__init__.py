"""What every table is and how it is filled: SQL models with their contracts. Parses and plans; never connects."""
