"""What an error code means, in the caller's language: `doc_url` of every error leads here."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from pydantic import BaseModel

from platform_api.envelope import Answer, meta_of
from platform_api.errors import ERROR_PATH, UnknownCodeError
from platform_api.languages import choose_language, meaning, meanings

router = APIRouter(tags=["operations"])


class ErrorCode(BaseModel):
    """A code and its meaning."""

    code: str
    meaning: str


@router.get(ERROR_PATH)
def explain_error_code(
    request: Request,
    code: Annotated[str, Path(examples=["ERR_VALIDATION"])],
    accept_language: Annotated[str | None, Header()] = None,
) -> Answer[ErrorCode]:
    """What the code means; 404 for one that Takt never answers."""
    known = meaning(code, choose_language(accept_language))
    if known is None:
        raise UnknownCodeError(f"There is no error code {code!r}.", hint=f"There are {len(meanings())} codes.")
    return Answer(data=ErrorCode(code=code, meaning=known), meta=meta_of(request))
