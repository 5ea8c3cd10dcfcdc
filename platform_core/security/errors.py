"""What can go wrong about who may do what.

SecurityError
├── UnauthorizedError           nobody known asks, or not in a way that proves it
│   ├── TokenExpiredError       an access token's time is over
│   └── LoginFailedError        name or password is wrong, or the account may not log in
├── ForbiddenError              known, and not allowed; carries the decision
├── OAuthError                  a request to a token or authorization endpoint is refused (RFC 6749)
│   ├── GrantInvalidError       a code, refresh token or password that is not or no longer good
│   ├── ClientInvalidError      no such client, or its secret is wrong
│   ├── ScopeInvalidError       a scope that does not exist or is more than one may have
│   ├── GrantUnsupportedError   a grant that is not offered here
│   └── RequestInvalidError     a request that breaks the protocol
├── UserError                   a user cannot be made or changed so
│   ├── UserNotFoundError       no such user in this tenant
│   ├── UserExistsError         e-mail or username is taken
│   ├── LastAdminError          a tenant would be left without an administrator
│   └── PasswordWeakError       a password that is too short, too long or too easy
├── CredentialError             a key or client cannot be made so
│   └── CredentialNotFoundError no such key or client in this tenant
├── LinkInvalidError            an invitation or reset that is unknown, used or too old
├── ProviderError               a provider of sign-in failed or answered what cannot be trusted
│   ├── ProviderNotFoundError   no such provider in this tenant
│   ├── ProviderInvalidError    a provider that cannot be stored so
│   └── SignInRefusedError      the provider knows the person, and Takt does not let them in
├── MailError                   a mail could not be sent
│   └── MailNotConfiguredError  no mail server is set
└── SigningKeysError            the keys that sign tokens cannot be read
"""

from typing import ClassVar

from dbt_like_sql.errors import TaktError
from platform_core.security.contracts import Decision


class SecurityError(TaktError):
    """Something about who may do what."""

    code = "ERR_AUTH"
    http_status = 400


class UnauthorizedError(SecurityError):
    """Nobody known asks, or not in a way that proves it."""

    code = "ERR_UNAUTHORIZED"
    http_status = 401


class TokenExpiredError(UnauthorizedError):
    """An access token's time is over."""

    code = "ERR_TOKEN_EXPIRED"


class LoginFailedError(UnauthorizedError):
    """Name or password is wrong, or the account may not log in; which of them is not told."""

    code = "ERR_AUTH_LOGIN_FAILED"


class ForbiddenError(SecurityError):
    """Who asks is known and not allowed; the message names the missing permission."""

    code = "ERR_FORBIDDEN"
    http_status = 403

    def __init__(self, message: str, decision: Decision, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.decision = decision


class OAuthError(SecurityError):
    """A request to a token or authorization endpoint is refused."""

    code = "ERR_AUTH_OAUTH"
    oauth_error: ClassVar[str] = "invalid_request"
    """The word of RFC 6749 for it."""


class GrantInvalidError(OAuthError):
    """A code, refresh token or password that is not good, or no longer."""

    code = "ERR_AUTH_GRANT_INVALID"
    oauth_error = "invalid_grant"


class ClientInvalidError(OAuthError):
    """No such client, or its secret is wrong."""

    code = "ERR_AUTH_CLIENT_INVALID"
    http_status = 401
    oauth_error = "invalid_client"


class ScopeInvalidError(OAuthError):
    """A scope that does not exist or is more than the asker may have."""

    code = "ERR_AUTH_SCOPE_INVALID"
    oauth_error = "invalid_scope"


class GrantUnsupportedError(OAuthError):
    """A grant that is not offered here."""

    code = "ERR_AUTH_GRANT_UNSUPPORTED"
    oauth_error = "unsupported_grant_type"


class RequestInvalidError(OAuthError):
    """A request that breaks the protocol, such as one without PKCE; never to be answered by a redirect."""

    code = "ERR_AUTH_REQUEST_INVALID"
    oauth_error = "invalid_request"


class UserError(SecurityError):
    """A user cannot be made or changed so."""

    code = "ERR_AUTH_USER"
    http_status = 422


class UserNotFoundError(UserError):
    """No such user in this tenant."""

    code = "ERR_AUTH_USER_NOT_FOUND"
    http_status = 404


class UserExistsError(UserError):
    """E-mail or username is taken in this tenant."""

    code = "ERR_AUTH_USER_EXISTS"
    http_status = 409


class LastAdminError(UserError):
    """A tenant would be left without an active administrator."""

    code = "ERR_AUTH_LAST_ADMIN"
    http_status = 409


class PasswordWeakError(UserError):
    """A password that is too short, too long or too easy to guess."""

    code = "ERR_AUTH_PASSWORD_WEAK"


class CredentialError(SecurityError):
    """A key or client cannot be made so."""

    code = "ERR_AUTH_CREDENTIAL"
    http_status = 422


class CredentialNotFoundError(CredentialError):
    """No such key or client in this tenant."""

    code = "ERR_AUTH_CREDENTIAL_NOT_FOUND"
    http_status = 404


class LinkInvalidError(SecurityError):
    """An invitation or password reset that is unknown, used or too old."""

    code = "ERR_AUTH_LINK_INVALID"


class ProviderError(SecurityError):
    """A provider of sign-in failed, or answered what cannot be trusted."""

    code = "ERR_AUTH_PROVIDER"
    http_status = 502


class ProviderNotFoundError(ProviderError):
    """No such provider of sign-in in this tenant."""

    code = "ERR_AUTH_PROVIDER_NOT_FOUND"
    http_status = 404


class ProviderInvalidError(ProviderError):
    """A provider of sign-in that cannot be stored so."""

    code = "ERR_AUTH_PROVIDER_INVALID"
    http_status = 422


class SignInRefusedError(ProviderError):
    """The provider knows the person, and Takt does not let them in; the message says why."""

    code = "ERR_AUTH_SIGN_IN_REFUSED"
    http_status = 403


class MailError(SecurityError):
    """A mail could not be sent."""

    code = "ERR_AUTH_MAIL"
    http_status = 503


class MailNotConfiguredError(MailError):
    """No mail server is set."""

    code = "ERR_AUTH_MAIL_NOT_CONFIGURED"


class SigningKeysError(SecurityError):
    """The keys that sign tokens cannot be read or written."""

    code = "ERR_AUTH_SIGNING_KEYS"
    http_status = 500
