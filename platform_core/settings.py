"""Every knob of the platform, read from the environment with the prefix TAKT_."""

import re
from datetime import date
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from pydantic import AnyHttpUrl, Field, PostgresDsn, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dbt_like_sql.errors import TaktError


class SettingInvalidError(TaktError):
    """A TAKT_ variable holds what it cannot; the message names each with its value, the hint what is expected."""

    code = "ERR_SETTING_INVALID"
    exit_code = 2


class Settings(BaseSettings):
    """Values that an installation may set; every default works on a laptop without any of them."""

    model_config = SettingsConfigDict(env_prefix="TAKT_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(
        default_factory=lambda: user_data_path("takt", appauthor=False),
        description="Folder of all state: embedded server, secrets, tenants' mappings, Dagster's files.",
        examples=["/srv/takt"],
    )
    database_url: PostgresDsn | None = Field(
        default=None,
        description="URL of an existing PostgreSQL 16-18 database as the role takt_owner; unset means embedded.",
        examples=["postgresql://takt_owner:PASSWORD@HOST:5432/takt"],
    )
    api_database_url: PostgresDsn | None = Field(
        default=None,
        description="URL of the same database as the role takt_api; needed with TAKT_DATABASE_URL.",
        examples=["postgresql://takt_api:PASSWORD@HOST:5432/takt"],
    )
    dagster_database_url: PostgresDsn | None = Field(
        default=None,
        description="URL of Dagster's run storage; default: database `dagster` on the server of TAKT_DATABASE_URL.",
        examples=["postgresql://takt_owner:PASSWORD@HOST:5432/dagster"],
    )
    dagster_webserver_url: AnyHttpUrl | None = Field(
        default=None,
        description="Where the Dagster webserver answers; `takt up` sets it for the API that it starts.",
        examples=["http://127.0.0.1:3000"],
    )
    first_date: date = Field(
        default=date(2024, 1, 1),
        description="First production date held; an older record is rejected with BEFORE_FIRST_DATE.",
        examples=["2024-01-01"],
    )
    keep_check_results_days: int = Field(
        default=90,
        ge=1,
        description="Results of data quality checks older than this are deleted by maintenance.",
        examples=["90"],
    )
    archive_raw_after_days: int | None = Field(
        default=None,
        ge=62,
        description="Months that ended this long ago are moved to TAKT_HOME/archive by maintenance; unset: never.",
        examples=["400"],
    )
    server_start_timeout_seconds: int = Field(
        default=180,
        ge=120,
        description="How long a start of the embedded server may take (a recovery can be long).",
        examples=["180"],
    )

    def __init__(self, **values: Any) -> None:
        """Read the environment; raises SettingInvalidError, so that no command needs to know pydantic's errors."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _invalid(error) from error

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """A relative TAKT_HOME means the same folder whatever the working directory becomes later."""
        try:
            return home.expanduser().absolute()
        except RuntimeError as error:  # ~somebody, and there is no such user
            raise ValueError(str(error)) from error


def _invalid(error: ValidationError) -> SettingInvalidError:
    said: list[str] = []
    expected: list[str] = []
    for problem in error.errors(include_url=False):
        field = str(problem["loc"][0])
        variable = f"TAKT_{field.upper()}"
        reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
        said.append(f"{variable}={_without_password(str(problem['input']))!r} cannot be used: {reason}.")
        known = Settings.model_fields.get(field)
        for example in (known.examples or ()) if known else ():
            expected.append(f"{variable} is such as {example}")
    return SettingInvalidError(" ".join(said), hint=f"{'; '.join(expected)}. Mend or unset it." if expected else None)


def _without_password(text: str) -> str:
    """A value as it may be shown: what stands before an @ may be a login, in whatever way a URL is misspelt."""
    shown = re.sub(r"^(\w+:/*)?.*@", r"\1***@", text)
    return re.sub(r"(password=)[^&\s]*", r"\1***", shown)
