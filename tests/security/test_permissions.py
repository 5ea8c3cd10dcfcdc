"""Roles, permissions, scopes and lines: the table of requirements 8.1, and what must hold of any combination."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.security.contracts import Grants, Reason
from platform_core.security.engine import (
    authorize,
    decide,
    effective,
    granted,
    is_challenge,
    narrower_lines,
    parse_scope,
    proves,
    require,
    sentence,
)
from platform_core.security.errors import ForbiddenError, LastAdminError, ScopeInvalidError, UserNotFoundError
from platform_core.security.permissions import DESCRIPTIONS, ROLE_NAMES, Permission, Role, permissions_of
from platform_core.security.service.users import (
    disable_user,
    explain,
    find_user,
    list_users,
    set_lines,
    set_permissions,
    set_roles,
    unlock_user,
)
from tests.security.conftest import Place

GRANTS = st.builds(Grants, st.frozensets(st.sampled_from(Role)), st.frozensets(st.sampled_from(Permission)))
SCOPES = st.none() | st.frozensets(st.sampled_from(Permission))
LINES = st.none() | st.lists(st.sampled_from(["L01", "L02", "L03", "L04"]))

# Requirements 8.1 with its [D]: judgment:run is not for viewer and approver. A letter for each role that may:
# Admin, Manager, aNalyst, Operator, Viewer, aPprover.
MATRIX = {
    "bi:read": "AMNOVP",
    "bi:write": "AMN",
    "record:read": "AMNO",
    "record:write": "AM",
    "reject:read": "AMNO",
    "reject:write": "AMO",
    "quality:read": "AMNOVP",
    "quality:write": "AMN",
    "etl:read": "AMNO",
    "etl:run": "AM",
    "etl:schedule": "AM",
    "judgment:read": "AMNOVP",
    "judgment:run": "AMNO",
    "rule:read": "AMNOVP",
    "rule:write": "AM",
    "rule:deploy": "AM",
    "rule:approve": "AMP",
    "workflow:read": "AMNOVP",
    "workflow:write": "AM",
    "workflow:run": "AMO",
    "workflow:approve": "AMP",
    "user:read": "A",
    "user:write": "A",
    "client:read": "A",
    "client:write": "A",
    "tenant:read": "AM",
    "tenant:write": "A",
    "audit:read": "AM",
    "audit:read_own": "AMNOVP",
}
LETTERS = {
    Role.ADMIN: "A",
    Role.MANAGER: "M",
    Role.ANALYST: "N",
    Role.OPERATOR: "O",
    Role.VIEWER: "V",
    Role.APPROVER: "P",
}


def test_the_matrix_names_every_permission() -> None:
    assert set(MATRIX) == {str(permission) for permission in Permission}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_has_what_the_matrix_says_and_no_more(role: Role) -> None:
    allowed = {permission for permission, letters in MATRIX.items() if LETTERS[role] in letters}
    assert {str(permission) for permission in permissions_of(role)} == allowed
    for permission in Permission:
        assert decide(Grants(frozenset({role})), None, permission).allowed == (permission in allowed)


def test_without_a_role_everything_is_denied() -> None:
    assert not any(decide(Grants(), None, permission).allowed for permission in Permission)


def test_every_permission_and_role_is_described_in_both_languages() -> None:
    for words in (*(DESCRIPTIONS[p] for p in Permission), *(ROLE_NAMES[r] for r in Role)):
        assert re.search("[가-힣]", words.ko)
        assert re.fullmatch(r"[A-Za-z' ,-]+", words.en)
    for permission in Permission:
        assert re.fullmatch(r"[a-z_]+:[a-z_]+", permission)


@given(GRANTS, SCOPES)
def test_a_scope_takes_away_and_never_adds(grants: Grants, scope: frozenset[Permission] | None) -> None:
    left = effective(grants, scope)
    assert left <= granted(grants)
    assert scope is None or left <= scope
    assert left == {permission for permission in Permission if decide(grants, scope, permission).allowed}


@given(GRANTS, SCOPES, SCOPES)
def test_a_narrower_scope_never_allows_more(
    grants: Grants, one: frozenset[Permission] | None, two: frozenset[Permission] | None
) -> None:
    both = one if two is None else two if one is None else one & two
    assert effective(grants, both) == effective(grants, one) & effective(grants, two)


@given(GRANTS, GRANTS)
def test_another_role_never_takes_away(one: Grants, two: Grants) -> None:
    both = Grants(one.roles | two.roles, one.extra | two.extra)
    assert granted(both) == granted(one) | granted(two)


@given(GRANTS, SCOPES, st.sampled_from(Permission))
def test_a_decision_gives_a_reason_that_is_true(
    grants: Grants, scope: frozenset[Permission] | None, permission: Permission
) -> None:
    decision = decide(grants, scope, permission)
    match decision.reason:
        case Reason.BY_ROLE:
            assert decision.allowed
            assert decision.role is not None
            assert decision.role in grants.roles
            assert permission in permissions_of(decision.inherited_from or decision.role)
        case Reason.BY_OWN_PERMISSION:
            assert decision.allowed
            assert permission in grants.extra
        case Reason.OUTSIDE_SCOPE:
            assert not decision.allowed
            assert permission in granted(grants)
        case Reason.NOT_GRANTED:
            assert not decision.allowed
            assert permission not in granted(grants)
            assert all(permission in permissions_of(role) for role in decision.would_help)
        case _:
            pytest.fail(decision.reason)
    assert permission in sentence(decision, "en")
    assert re.search("[가-힣]", sentence(decision, "ko"))


@given(LINES, LINES)
def test_lines_of_two_limits_are_those_that_both_allow(one: list[str] | None, two: list[str] | None) -> None:
    both = narrower_lines(one, two)
    if one is None and two is None:
        assert both is None
        return
    assert both is not None
    for line in ("L01", "L02", "L03", "L04"):
        assert (line in both) == ((one is None or line in one) and (two is None or line in two))


@pytest.mark.parametrize("text", ["bi:read nothing:read", "*", "BI:READ", "bi:read,bi:write", "\ud800"])
def test_a_scope_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalidError):
        parse_scope(text)


def test_no_scope_is_no_limit() -> None:
    assert parse_scope(None) is None
    assert parse_scope("  ") is None


def test_pkce_takes_the_verifier_of_the_rfc_and_no_other() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert is_challenge(challenge)
    assert proves(verifier, challenge)
    for wrong in (verifier[:-1], verifier + "a", challenge, "", "é" * 43, "a" * 129, verifier + "\n"):
        assert not proves(wrong, challenge)


def test_a_refusal_names_the_permission_that_is_missing(place: Place) -> None:
    place.user("kim", Role.OPERATOR)
    from platform_core.security.authentication import Authenticator

    who = Authenticator(place.security).authenticate_bearer(place.login().access_token)
    assert require(who, Permission.WORKFLOW_RUN).role is Role.OPERATOR
    with pytest.raises(ForbiddenError) as caught:
        require(who, Permission.USER_WRITE)
    assert (caught.value.code, caught.value.http_status) == ("ERR_FORBIDDEN", 403)
    assert "user:write" in caught.value.message
    assert "관리자" in caught.value.message
    assert caught.value.decision == authorize(who, Permission.USER_WRITE)


def test_an_explanation_says_by_which_role_or_why_not(place: Place) -> None:
    place.user("boss", Role.ADMIN)
    place.user("kim", Role.MANAGER)

    def said(permission: Permission) -> str:
        return sentence(explain(place.security, place.tenant.id, "kim", permission), "en")

    assert said(Permission.BI_READ).endswith("by the role manager, which has it from viewer.")
    assert "Roles that have it: admin." in said(Permission.USER_WRITE)
    set_permissions(place.security, place.tenant.id, "kim", [Permission.USER_WRITE])
    assert said(Permission.USER_WRITE).endswith("it was given to the user itself.")
    disable_user(place.security, place.tenant.id, "kim")
    assert said(Permission.BI_READ).endswith("the user is disabled.")


def test_the_last_administrator_stays(place: Place) -> None:
    place.user("boss", Role.ADMIN)
    place.user("foreign", Role.ADMIN, tenant=place.other)
    with pytest.raises(LastAdminError):
        disable_user(place.security, place.tenant.id, "boss")
    with pytest.raises(LastAdminError):
        set_roles(place.security, place.tenant.id, "boss", [Role.MANAGER])
    place.user("second", Role.ADMIN)
    disable_user(place.security, place.tenant.id, "boss")
    with pytest.raises(LastAdminError):
        disable_user(place.security, place.tenant.id, "second")


def test_another_tenants_user_does_not_exist(place: Place) -> None:
    foreign = place.user("lee", Role.ADMIN, tenant=place.other)
    for name in (str(foreign.id), foreign.email, foreign.username):
        for use in (find_user, disable_user, unlock_user):
            with pytest.raises(UserNotFoundError):
                use(place.security, place.tenant.id, name)
        for change in (set_roles, set_lines, set_permissions):
            with pytest.raises(UserNotFoundError):
                change(place.security, place.tenant.id, name, [])
        with pytest.raises(UserNotFoundError):
            explain(place.security, place.tenant.id, name, Permission.BI_READ)
    assert list_users(place.security, place.tenant.id) == ()
    assert [user.id for user in list_users(place.security, place.other.id)] == [foreign.id]
