"""What can be allowed, and which role allows it. The only place that says so; docs and tests read it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Permission(StrEnum):
    """`resource:verb`, as routes, roles, tokens and keys name it."""

    BI_READ = "bi:read"
    BI_WRITE = "bi:write"
    RECORD_READ = "record:read"
    RECORD_WRITE = "record:write"
    REJECT_READ = "reject:read"
    REJECT_WRITE = "reject:write"
    QUALITY_READ = "quality:read"
    QUALITY_WRITE = "quality:write"
    ETL_READ = "etl:read"
    ETL_RUN = "etl:run"
    ETL_SCHEDULE = "etl:schedule"
    JUDGMENT_READ = "judgment:read"
    JUDGMENT_RUN = "judgment:run"
    RULE_READ = "rule:read"
    RULE_WRITE = "rule:write"
    RULE_DEPLOY = "rule:deploy"
    RULE_APPROVE = "rule:approve"
    WORKFLOW_READ = "workflow:read"
    WORKFLOW_WRITE = "workflow:write"
    WORKFLOW_RUN = "workflow:run"
    WORKFLOW_APPROVE = "workflow:approve"
    USER_READ = "user:read"
    USER_WRITE = "user:write"
    CLIENT_READ = "client:read"
    CLIENT_WRITE = "client:write"
    TENANT_READ = "tenant:read"
    TENANT_WRITE = "tenant:write"
    AUDIT_READ = "audit:read"
    AUDIT_READ_OWN = "audit:read_own"


class Role(StrEnum):
    """The six roles of a person."""

    ADMIN = "admin"
    MANAGER = "manager"
    ANALYST = "analyst"
    OPERATOR = "operator"
    VIEWER = "viewer"
    APPROVER = "approver"


class Words(NamedTuple):
    """The same in both languages."""

    ko: str
    en: str

    def of(self, locale: str) -> str:
        """In the language that somebody reads."""
        return self.ko if locale.startswith("ko") else self.en


_P = Permission

DESCRIPTIONS: Final[Mapping[Permission, Words]] = MappingProxyType(
    {
        _P.BI_READ: Words("지표, 대시보드, 데이터 상태 조회", "See metrics, dashboards and the state of the data"),
        _P.BI_WRITE: Words("지표와 대시보드 작성 및 수정", "Make and change metrics and dashboards"),
        _P.RECORD_READ: Words("숫자의 근거가 된 원본 레코드 조회", "See the raw records behind a number"),
        _P.RECORD_WRITE: Words("레코드 전송", "Send records"),
        _P.REJECT_READ: Words("사용할 수 없었던 행 조회", "See the rows that could not be used"),
        _P.REJECT_WRITE: Words("사용할 수 없었던 행 수정 및 재시도", "Mend and retry the rows that could not be used"),
        _P.QUALITY_READ: Words("데이터 품질 규칙과 결과 조회", "See the rules of data quality and their results"),
        _P.QUALITY_WRITE: Words("데이터 품질 규칙 작성, 변경, 실행", "Make, change and run rules of data quality"),
        _P.ETL_READ: Words("데이터 작업과 실행 상태 조회", "See jobs and runs of the data"),
        _P.ETL_RUN: Words("데이터 작업 실행, 취소, 재시도", "Start, cancel and retry runs of the data"),
        _P.ETL_SCHEDULE: Words("데이터 작업 일정 설정", "Set the schedules of the data"),
        _P.JUDGMENT_READ: Words("판단 결과와 설명 조회", "See judgments and their explanations"),
        _P.JUDGMENT_RUN: Words("판단 실행", "Run judgments"),
        _P.RULE_READ: Words("규칙 조회", "See rules"),
        _P.RULE_WRITE: Words("규칙 작성 및 수정", "Make and change rules"),
        _P.RULE_DEPLOY: Words("규칙 배포 및 되돌리기", "Deploy rules and roll them back"),
        _P.RULE_APPROVE: Words("규칙 승인", "Approve rules"),
        _P.WORKFLOW_READ: Words("워크플로 조회", "See workflows"),
        _P.WORKFLOW_WRITE: Words("워크플로 작성 및 수정", "Make and change workflows"),
        _P.WORKFLOW_RUN: Words("워크플로 실행", "Run workflows"),
        _P.WORKFLOW_APPROVE: Words("워크플로 승인", "Approve workflows"),
        _P.USER_READ: Words("사용자 조회", "See users"),
        _P.USER_WRITE: Words("사용자 초대, 변경, 비활성화", "Invite, change and disable users"),
        _P.CLIENT_READ: Words("API 키와 클라이언트 조회", "See API keys and clients"),
        _P.CLIENT_WRITE: Words("API 키와 클라이언트 발급 및 폐기", "Issue and revoke API keys and clients"),
        _P.TENANT_READ: Words("회사 설정 조회", "See the settings of the tenant"),
        _P.TENANT_WRITE: Words("회사 설정 변경", "Change the settings of the tenant"),
        _P.AUDIT_READ: Words("모든 감사 기록 조회", "See all of the audit trail"),
        _P.AUDIT_READ_OWN: Words("자신의 감사 기록 조회", "See one's own part of the audit trail"),
    }
)

ROLE_NAMES: Final[Mapping[Role, Words]] = MappingProxyType(
    {
        Role.ADMIN: Words("관리자", "Administrator"),
        Role.MANAGER: Words("매니저", "Manager"),
        Role.ANALYST: Words("분석가", "Analyst"),
        Role.OPERATOR: Words("작업자", "Operator"),
        Role.VIEWER: Words("조회자", "Viewer"),
        Role.APPROVER: Words("승인자", "Approver"),
    }
)

INHERITS: Final[Mapping[Role, Role]] = MappingProxyType(
    {Role.MANAGER: Role.ANALYST, Role.ANALYST: Role.VIEWER, Role.OPERATOR: Role.VIEWER, Role.APPROVER: Role.VIEWER}
)
"""A role has what the one that it inherits from has."""

OWN: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset(
            {
                _P.BI_READ,
                _P.QUALITY_READ,
                _P.JUDGMENT_READ,
                _P.RULE_READ,
                _P.WORKFLOW_READ,
                _P.AUDIT_READ_OWN,
            }
        ),
        Role.ANALYST: frozenset(
            {_P.BI_WRITE, _P.RECORD_READ, _P.REJECT_READ, _P.QUALITY_WRITE, _P.ETL_READ, _P.JUDGMENT_RUN}
        ),
        Role.MANAGER: frozenset(
            {
                _P.RECORD_WRITE,
                _P.REJECT_WRITE,
                _P.ETL_RUN,
                _P.ETL_SCHEDULE,
                _P.RULE_WRITE,
                _P.RULE_DEPLOY,
                _P.RULE_APPROVE,
                _P.WORKFLOW_WRITE,
                _P.WORKFLOW_RUN,
                _P.WORKFLOW_APPROVE,
                _P.TENANT_READ,
                _P.AUDIT_READ,
            }
        ),
        Role.OPERATOR: frozenset(
            {_P.RECORD_READ, _P.REJECT_READ, _P.REJECT_WRITE, _P.ETL_READ, _P.JUDGMENT_RUN, _P.WORKFLOW_RUN}
        ),
        Role.APPROVER: frozenset({_P.RULE_APPROVE, _P.WORKFLOW_APPROVE}),
        Role.ADMIN: frozenset(Permission),
    }
)
"""What a role adds to the one that it inherits from; what stands nowhere is denied."""


def permissions_of(role: Role) -> frozenset[Permission]:
    """All that a role allows, inherited ones included."""
    parent = INHERITS.get(role)
    return OWN[role] if parent is None else OWN[role] | permissions_of(parent)


def role_that_grants(role: Role, permission: Permission) -> Role | None:
    """The role by which `role` has the permission: itself, or one that it inherits from; None when it has it not."""
    at: Role | None = role
    while at is not None:
        if permission in OWN[at]:
            return at
        at = INHERITS.get(at)
    return None
