"""The root of every error that Takt raises on purpose.

TaktError
├── ModelError            a model's .sql or .yml is wrong           (dbt_like_sql)
├── SettingInvalidError   a TAKT_ variable cannot be understood     (platform_core.settings)
└── one branch per domain of platform_core, in <domain>/errors.py
"""

from typing import ClassVar


class TaktError(Exception):
    """An error with a stable code, one sentence of what happened where, and what to do about it.

    `code` is `ERR_<DOMAIN>_<NAME>` (general ones `ERR_<NAME>`); `http_status` is what the API answers with,
    `exit_code` what the command line ends with (1 failed, 2 bad usage).
    """

    code: ClassVar[str] = "ERR_INTERNAL"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ModelError(TaktError):
    """A model's SELECT or its contract is wrong; the message names the file and, where known, the line."""

    code = "ERR_MODEL_INVALID"
    http_status = 500
