"""Every knob of the platform, read from the environment with the prefix TAKT_."""

import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import AnyHttpUrl, Field, PostgresDsn, SecretStr, ValidationError, field_validator
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

    public_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8000"),
        description="Where people reach the API; links in mails begin with it.",
        examples=["https://takt.example.com"],
    )
    auth_issuer: str = Field(
        default="takt",
        min_length=1,
        description="Who issues access tokens: claim `iss`. A change ends all access tokens.",
        examples=["https://takt.example.com"],
    )
    auth_audience: str = Field(
        default="takt-api",
        min_length=1,
        description="Whom access tokens are for: claim `aud`.",
        examples=["takt-api"],
    )
    auth_keys_file: Path | None = Field(
        default=None,
        description="Keys that sign tokens, shared by all API processes; default: TAKT_HOME/signing_keys.json.",
        examples=["/run/secrets/signing_keys.json"],
    )
    auth_access_minutes: int = Field(
        default=15, ge=1, le=60, description="How long an access token is good.", examples=["15"]
    )
    auth_refresh_days: int = Field(
        default=7, ge=1, le=30, description="How long a refresh token is good when it is not used.", examples=["7"]
    )
    auth_session_days: int = Field(
        default=30,
        ge=1,
        description="After this long a person logs in again, however often the tokens were refreshed.",
        examples=["30"],
    )
    auth_recheck_seconds: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="How long a process believes what it read of a user or key: how late a revocation may be seen.",
        examples=["2"],
    )
    auth_lock_after: int = Field(
        default=5, ge=1, le=100, description="Failed logins in a row after which an account waits.", examples=["5"]
    )
    auth_lock_seconds: int = Field(
        default=60,
        ge=1,
        description="How long it waits the first time; each further failure doubles it.",
        examples=["60"],
    )
    auth_lock_max_seconds: int = Field(default=3600, ge=1, description="How long it waits at most.", examples=["3600"])
    auth_password_length: int = Field(
        default=12, ge=8, le=64, description="How many characters a password has at least.", examples=["12"]
    )
    auth_password_grant: bool = Field(
        default=False,
        description="Offer OAuth's password grant, by which a program sees a person's password; better not.",
        examples=["true"],
    )
    auth_invitation_hours: int = Field(
        default=72, ge=1, description="How long the link of an invitation is good.", examples=["72"]
    )
    auth_reset_minutes: int = Field(
        default=30, ge=5, description="How long the link of a password reset is good.", examples=["30"]
    )
    smtp_host: str | None = Field(
        default=None,
        description="Mail server for invitations and password resets; unset: none.",
        examples=["mail.example.com"],
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.", examples=["587"])
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls, tls (from the first byte, often port 465) or none (a server on the same machine).",
        examples=["starttls"],
    )
    smtp_username: str | None = Field(default=None, description="Login at the mail server.", examples=["takt"])
    smtp_password: SecretStr | None = Field(default=None, description="Its password.", examples=["PASSWORD"])
    mail_from: str = Field(
        default="takt@localhost", description="Sender of the mails.", examples=["Takt <takt@example.com>"]
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
