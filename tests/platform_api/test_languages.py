"""Korean or English, as the caller asks; every code means something in both."""

import re

import pytest

from platform_api.languages import choose_language, meanings

HANGUL = re.compile(r"[가-힣]")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("ko;q=0.5, en;q=0.6", "en"),
        ("ja, ko;q=0.1", "ko"),
        ("ko;q=0", "en"),
        ("ko;q=nonsense", "en"),
        ("fr", "en"),
    ],
)
def test_the_best_language_that_both_know_is_chosen(asked: str | None, language: str) -> None:
    assert choose_language(asked) == language


def test_every_error_code_means_something_in_both_languages() -> None:
    lacking = [code for code, said in meanings().items() if not said["en"] or not HANGUL.search(said["ko"])]
    assert not lacking, f"write these in platform_api/error_codes.yml: {lacking}"
