"""The language of an answer's messages, Korean or English, and what each error code means in both."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

Language = Literal["ko", "en"]
Meanings = Mapping[str, Mapping[Language, str]]


def choose_language(accept_language: str | None) -> Language:
    """The best of what the caller accepts (RFC 9110, 12.5.4); English where neither is wanted, or nothing is said."""
    best: Language = "en"
    best_quality = 0.0
    for part in (accept_language or "").split(","):
        name, _, parameters = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        quality = _quality(parameters)
        if language in ("ko", "en") and quality > best_quality:
            best, best_quality = ("ko" if language == "ko" else "en"), quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@cache
def meanings() -> Meanings:
    """What each error code means, in both languages; the particulars of one error stay in its own sentence."""
    return yaml.safe_load(files("platform_api").joinpath("error_codes.yml").read_text(encoding="utf-8"))


def meaning(code: str, language: Language) -> str | None:
    """What a code means; None for one that nobody has written down."""
    known = meanings().get(code)
    return known[language] if known else None
