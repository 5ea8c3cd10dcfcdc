"""The dates of the factories in these tests: both clocks of Chicago's autumn change lie in the six days before."""

from datetime import date

LAST = date(2025, 11, 5)
