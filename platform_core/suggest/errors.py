"""What can go wrong with suggestions.

SuggestError
└── NothingToAcceptError     there is no file of suggestions to accept
"""

from dbt_like_sql.errors import TaktError


class SuggestError(TaktError):
    """Something about suggestions."""

    code = "ERR_SUGGEST"
    http_status = 422


class NothingToAcceptError(SuggestError):
    """There is no file of suggestions to accept."""

    code = "ERR_SUGGEST_NOTHING"
    http_status = 404
