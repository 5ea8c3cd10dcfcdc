"""Every knob of the platform, read from the environment with the prefix TAKT_."""

from datetime import date
from pathlib import Path

from platformdirs import user_data_path
from pydantic import AnyHttpUrl, Field, PostgresDsn, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Values that an installation may set; every default works on a laptop without any of them."""

    model_config = SettingsConfigDict(env_prefix="TAKT_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(
        default_factory=lambda: user_data_path("takt", appauthor=False),
        description="Folder of all state: embedded server, secrets, tenants' mappings, Dagster's files.",
    )
    database_url: PostgresDsn | None = Field(
        default=None,
        description="URL of an existing PostgreSQL 16-18 database as the role takt_owner; unset means embedded.",
    )
    api_database_url: PostgresDsn | None = Field(
        default=None, description="URL of the same database as the role takt_api; needed with TAKT_DATABASE_URL."
    )
    dagster_database_url: PostgresDsn | None = Field(
        default=None,
        description="URL of Dagster's run storage; default: database `dagster` on the server of TAKT_DATABASE_URL.",
    )
    dagster_webserver_url: AnyHttpUrl | None = Field(
        default=None, description="Where the Dagster webserver answers; `takt up` sets it for the API that it starts."
    )
    first_date: date = Field(
        default=date(2024, 1, 1),
        description="First production date held; an older record is rejected with BEFORE_FIRST_DATE.",
    )
    keep_check_results_days: int = Field(
        default=90, ge=1, description="Results of data quality checks older than this are deleted by maintenance."
    )
    archive_raw_after_days: int | None = Field(
        default=None,
        ge=62,
        description="Months that ended this long ago are moved to TAKT_HOME/archive by maintenance; unset: never.",
    )
    server_start_timeout_seconds: int = Field(
        default=180, ge=120, description="How long a start of the embedded server may take (a recovery can be long)."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """A relative TAKT_HOME means the same folder whatever the working directory becomes later."""
        return home.expanduser().absolute()
