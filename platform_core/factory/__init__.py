"""A made-up factory: the files that its systems would write, and the truth about them."""
