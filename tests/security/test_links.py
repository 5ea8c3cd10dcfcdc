"""Invitations and password resets by mail, over a real SMTP server; and links that are of no use to others."""

import socket
import ssl
import unicodedata
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from platform_core.clock import utc_now
from platform_core.security.contracts import NewUser, Secret
from platform_core.security.errors import (
    GrantInvalidError,
    LinkInvalidError,
    LoginFailedError,
    MailError,
    MailNotConfiguredError,
    PasswordWeakError,
    UserError,
    UserExistsError,
)
from platform_core.security.mail import Mail, SmtpMailer, open_mailer
from platform_core.security.permissions import Role
from platform_core.security.service.links import (
    accept_invitation,
    invite,
    invite_again,
    request_password_reset,
    reset_password,
    who_holds,
)
from platform_core.security.service.sessions import refresh
from platform_core.security.service.users import disable_user, list_users, set_roles
from platform_core.settings import Settings
from tests.security.conftest import PASSWORD, Place

NEW = Secret("another long sentence")
LEE = NewUser("lee@default.example", frozenset({Role.ANALYST}), display_name="이영희")


@dataclass
class Post:
    """A mail server on loopback, and what it was given."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    refuse: bool = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server
        if self.refuse:
            return "554 no"
        message = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        self.mails.append(message)  # type: ignore[arg-type]
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def text(self) -> str:
        """What the last mail says."""
        return self.mails[-1].get_content()

    def token(self) -> Secret:
        """The token of the link in the last mail."""
        return Secret(self.text().split("#token=", 1)[1].split()[0])


@contextmanager
def _listening(post: Post, **more: object) -> Generator[None]:
    with socket.socket() as free:  # the controller does not take port 0
        free.bind(("127.0.0.1", 0))
        post.port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=post.port, **more)  # type: ignore[arg-type]
    controller.start()
    try:
        yield
    finally:
        controller.stop()


@pytest.fixture
def post() -> Generator[Post]:
    made = Post()
    with _listening(made):
        yield made


@pytest.fixture
def mailer(post: Post) -> SmtpMailer:
    return SmtpMailer("127.0.0.1", post.port, "none", "Takt <takt@plant.example>")


def test_an_invited_person_chooses_a_password_and_is_in(place: Place, post: Post, mailer: SmtpMailer) -> None:
    invited = invite(place.security, place.tenant.id, LEE, mailer)
    assert invited.user.status == "invited"
    (mail,) = post.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (LEE.email, "Takt <takt@plant.example>", "Takt 초대: default")
    assert "이영희님" in post.text()
    assert "72시간" in post.text()
    assert invited.link.value in post.text()
    assert invited.link.value.startswith("http://127.0.0.1:8000/invitation#token=")
    with pytest.raises(LoginFailedError):
        place.login(LEE.email)
    assert who_holds(place.security, "invitation", post.token()).email == LEE.email
    assert accept_invitation(place.security, post.token(), PASSWORD).status == "active"
    assert place.login(LEE.email)


def test_a_mail_is_written_in_the_language_of_its_reader(place: Place, post: Post, mailer: SmtpMailer) -> None:
    invite(place.security, place.tenant.id, replace(LEE, locale="en"), mailer)
    assert post.mails[0]["Subject"] == "Invitation to Takt: default"
    assert "within 72 hours" in post.text()


def test_an_invitation_works_once_and_for_three_days(place: Place) -> None:
    first = invite(place.security, place.tenant.id, LEE)
    token = Secret(first.link.value.split("=")[1])
    with pytest.raises(PasswordWeakError):
        accept_invitation(place.security, token, Secret("short"))
    accept_invitation(place.security, token, PASSWORD)
    with pytest.raises(LinkInvalidError):
        accept_invitation(place.security, token, NEW)
    second = invite(place.security, place.tenant.id, replace(LEE, email="park@default.example"))
    place.clock.pass_(hours=72)
    with pytest.raises(LinkInvalidError):
        accept_invitation(place.security, Secret(second.link.value.split("=")[1]), PASSWORD)


def test_of_two_who_accept_at_once_one_is_too_late(place: Place) -> None:
    token = Secret(invite(place.security, place.tenant.id, LEE).link.value.split("=")[1])

    def accept(number: int) -> bool:
        try:
            return bool(accept_invitation(place.security, token, Secret(f"some long password {number}")))
        except LinkInvalidError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(accept, range(4))) == 1


def test_another_invitation_replaces_the_first_until_it_is_accepted(place: Place) -> None:
    first = Secret(invite(place.security, place.tenant.id, LEE).link.value.split("=")[1])
    second = Secret(invite_again(place.security, place.tenant.id, LEE.email).link.value.split("=")[1])
    with pytest.raises(LinkInvalidError):
        accept_invitation(place.security, first, PASSWORD)
    accept_invitation(place.security, second, PASSWORD)
    with pytest.raises(UserError, match="accepted"):
        invite_again(place.security, place.tenant.id, LEE.email)


def test_who_is_there_already_is_not_invited_and_a_mail_that_fails_invites_nobody(
    place: Place, post: Post, mailer: SmtpMailer
) -> None:
    place.user("kim")
    with pytest.raises(UserExistsError):
        invite(place.security, place.tenant.id, replace(LEE, email="KIM@default.example"), mailer)
    post.refuse = True
    with pytest.raises(MailError, match="554"):
        invite(place.security, place.tenant.id, LEE, mailer)
    assert [user.email for user in list_users(place.security, place.tenant.id)] == ["kim@default.example"]
    assert invite(place.security, place.other.id, replace(LEE, email="kim@default.example"))  # another tenant


@pytest.mark.parametrize(
    "email",
    [
        "",
        "kim",
        "kim@",
        "@x",
        "a b@x",
        "a@b@c",
        "kim@x\r\nBcc: all@x",
        "kim@x,lee@x",
        "kim\x00@x",
        "<kim@x>",
        "a" * 65 + "@x",
    ],
)
def test_what_is_no_address_is_refused(place: Place, email: str) -> None:
    with pytest.raises(UserError):
        invite(place.security, place.tenant.id, replace(LEE, email=email))


def test_a_username_that_could_be_anothers_e_mail_is_refused(place: Place) -> None:
    with pytest.raises(UserError):
        invite(place.security, place.tenant.id, replace(LEE, username="kim@default.example"))


def test_a_forgotten_password_is_replaced_and_every_login_ends(place: Place, post: Post, mailer: SmtpMailer) -> None:
    place.user("kim")
    held = place.login()
    for _ in range(5):
        with pytest.raises(LoginFailedError):
            place.login(password=NEW)
    request_password_reset(place.security, "default", "kim", mailer)
    assert "30분" in post.text()
    reset_password(place.security, post.token(), NEW)
    assert place.login(password=NEW)  # it waits no longer either
    with pytest.raises(LoginFailedError):
        place.login()
    with pytest.raises(GrantInvalidError):
        refresh(place.security, Secret(str(held.refresh_token)))
    with pytest.raises(LinkInvalidError):
        reset_password(place.security, post.token(), PASSWORD)


@pytest.mark.parametrize(
    ("slug", "name"),
    [("default", "nobody"), ("other", "kim"), ("default", "idle"), ("nowhere", "kim"), ("\x00", "\ud800")],
)
def test_nobody_gets_a_reset_who_is_not_there(
    place: Place, post: Post, mailer: SmtpMailer, slug: str, name: str
) -> None:
    place.user("kim")
    place.user("idle")
    disable_user(place.security, place.tenant.id, "idle")
    request_password_reset(place.security, slug, name, mailer)
    assert post.mails == []


def test_a_reset_is_over_after_half_an_hour_another_request_or_another_password(
    place: Place, post: Post, mailer: SmtpMailer
) -> None:
    place.user("kim")
    request_password_reset(place.security, "default", "kim", mailer)
    first = post.token()
    request_password_reset(place.security, "default", "kim", mailer)
    with pytest.raises(LinkInvalidError):
        reset_password(place.security, first, NEW)
    place.clock.pass_(minutes=30)
    with pytest.raises(LinkInvalidError):
        reset_password(place.security, post.token(), NEW)


def test_a_link_is_good_for_its_own_purpose_only(place: Place, post: Post, mailer: SmtpMailer) -> None:
    place.user("kim")
    request_password_reset(place.security, "default", "kim", mailer)
    for token in (post.token(), Secret(""), Secret("\x00"), Secret("\ud800")):
        with pytest.raises(LinkInvalidError):
            accept_invitation(place.security, token, NEW)


def test_a_reset_brings_no_disabled_user_back(place: Place, post: Post, mailer: SmtpMailer) -> None:
    place.user("kim")
    request_password_reset(place.security, "default", "kim", mailer)
    disable_user(place.security, place.tenant.id, "kim")
    with pytest.raises(LinkInvalidError):
        reset_password(place.security, post.token(), NEW)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "a" * 13,
        "ab" * 10,
        "kim@default.example",
        "김" * 12,
        "x" * 1025,
        "abcdefghijk\ud800",
        "KIM@default.example1",
    ],
)
def test_a_weak_password_is_refused(place: Place, password: str) -> None:
    token = Secret(
        invite(place.security, place.tenant.id, replace(LEE, email="kim@default.example")).link.value.split("=")[1]
    )
    with pytest.raises(PasswordWeakError):
        accept_invitation(place.security, token, Secret(password))


def test_the_same_korean_password_from_another_keyboard_is_the_same(place: Place) -> None:
    token = Secret(invite(place.security, place.tenant.id, LEE).link.value.split("=")[1])
    accept_invitation(place.security, token, Secret("창원공장의 아침은 맑다!"))
    assert place.login(LEE.email, Secret(unicodedata.normalize("NFD", "창원공장의 아침은 맑다!")))


def _certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server on 127.0.0.1, and for clients who trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    trusting = ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
    return server, trusting


def test_a_server_with_starttls_and_a_login_gets_the_mail_encrypted_and_no_stranger_is_trusted(tmp_path: Path) -> None:
    context, trusting = _certificate(tmp_path)
    post = Post()

    def right(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == (b"takt", b"pass word"))

    with _listening(post, tls_context=context, auth_required=True, authenticator=right):
        mailer = SmtpMailer(
            "127.0.0.1", post.port, "starttls", "takt@x.example", "takt", SecretStr("pass word"), trusting
        )
        mailer.send(Mail("kim@x.example", "제목", "본문"))
        assert post.encrypted == [True]
        assert (post.mails[0]["Subject"], post.text().strip()) == ("제목", "본문")
        for wrong in (replace(mailer, password=SecretStr("x")), replace(mailer, tls=None)):
            with pytest.raises(MailError) as caught:
                wrong.send(Mail("kim@x.example", "s", "t"))
            assert "pass word" not in str(caught.value)


def test_a_mailer_is_made_of_the_settings_and_says_when_there_is_none(settings: Settings) -> None:
    with pytest.raises(MailNotConfiguredError):
        open_mailer(settings)
    mailer = open_mailer(
        settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none"})
    )
    with pytest.raises(MailError, match=r"127\.0\.0\.1:1"):
        mailer.send(Mail("kim@x.example", "s", "t"))
    with pytest.raises(MailError):
        mailer.send(Mail("kim@x.example\nBcc: all@x.example", "s", "t"))


def test_roles_of_an_invited_person_may_change_before_they_accept(place: Place) -> None:
    token = Secret(invite(place.security, place.tenant.id, LEE).link.value.split("=")[1])
    set_roles(place.security, place.tenant.id, LEE.email, [Role.VIEWER])
    assert accept_invitation(place.security, token, PASSWORD).roles == (Role.VIEWER,)
