"""The factory of these tests: both the old and the new time of Chicago's autumn change lie in its six days."""

from datetime import date

LAST = date(2025, 11, 5)
DAYS, LINES, TENANTS, SEED = 6, 3, 2, 11
