"""What the warehouse holds at this moment, and what is still to be done."""
