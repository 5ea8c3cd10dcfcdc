"""Mails that security sends: what they say in Korean and English, and the SMTP that carries them."""

import smtplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import Literal, Protocol

from pydantic import SecretStr

from platform_core.security.contracts import Locale
from platform_core.security.errors import MailError, MailNotConfiguredError
from platform_core.settings import Settings

_SECONDS = 20


@dataclass(frozen=True)
class Mail:
    """One mail to one person."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Whatever carries mails; raises MailError when it could not."""

    def send(self, mail: Mail) -> None:
        """Hand the mail over."""
        ...


@dataclass(frozen=True)
class SmtpMailer:
    """Hands each mail to a server over a connection of its own."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    username: str | None = None
    password: SecretStr | None = None
    tls: ssl.SSLContext | None = None
    """Whom to trust; None: what the system trusts."""

    def send(self, mail: Mail) -> None:
        """Hand the mail over; raises MailError, which says what the server said."""
        message = EmailMessage()
        try:
            message["From"], message["To"], message["Subject"] = self.sender, mail.to, mail.subject
        except ValueError as error:  # a line break in an address or subject would be a header of its own
            raise MailError(f"A mail to {mail.to!r} cannot be written: {error}.") from error
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=parseaddr(self.sender)[1].rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        try:
            with self._connected() as server:
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(
                f"The mail server {self.host}:{self.port} did not take a mail to {mail.to}: {error}",
                hint="See the TAKT_SMTP_ settings.",
            ) from error

    @contextmanager
    def _connected(self) -> Generator[smtplib.SMTP]:
        context = self.tls or ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_SECONDS)
        with server:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.username is not None:
                server.login(self.username, self.password.get_secret_value() if self.password else "")
            yield server


def open_mailer(settings: Settings) -> Mailer:
    """The mailer that the settings name; raises MailNotConfiguredError."""
    if settings.smtp_host is None:
        raise MailNotConfiguredError("No mail server is set.", hint="Set TAKT_SMTP_HOST.")
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.mail_from,
        settings.smtp_username,
        settings.smtp_password,
    )


def invitation_mail(to: str, name: str, tenant: str, link: str, hours: int, locale: Locale) -> Mail:
    """The mail by which somebody becomes a user."""
    if locale == "ko":
        return Mail(
            to,
            f"Takt 초대: {tenant}",
            f"{name}님, 안녕하세요.\n\n{tenant}의 Takt 사용자로 초대되었습니다. "
            f"아래 주소에서 비밀번호를 정하면 바로 사용할 수 있습니다.\n\n{link}\n\n"
            f"이 주소는 {hours}시간 동안 한 번만 쓸 수 있습니다. 아는 바가 없는 초대라면 이 메일을 무시하십시오.\n",
        )
    return Mail(
        to,
        f"Invitation to Takt: {tenant}",
        f"Hello {name},\n\nyou are invited to Takt at {tenant}. Choose a password here:\n\n{link}\n\n"
        f"The link works once, within {hours} hours. If you do not expect this, ignore it.\n",
    )


def reset_mail(to: str, name: str, link: str, minutes: int, locale: Locale) -> Mail:
    """The mail by which somebody who forgot a password chooses another one."""
    if locale == "ko":
        return Mail(
            to,
            "Takt 비밀번호 재설정",
            f"{name}님, 안녕하세요.\n\n아래 주소에서 새 비밀번호를 정하십시오.\n\n{link}\n\n"
            f"이 주소는 {minutes}분 동안 한 번만 쓸 수 있습니다. "
            "요청하지 않았다면 이 메일을 무시하십시오. 비밀번호는 바뀌지 않습니다.\n",
        )
    return Mail(
        to,
        "Takt: another password",
        f"Hello {name},\n\nchoose another password here:\n\n{link}\n\n"
        f"The link works once, within {minutes} minutes. If you did not ask for it, ignore it: nothing changes.\n",
    )
