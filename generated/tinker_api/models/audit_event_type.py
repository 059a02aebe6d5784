# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

AuditEventType = Literal["all", "checkpoints", "organizations", "projects", "teams"]

AUDIT_EVENT_TYPE_VALUES: set[AuditEventType] = {
    "all",
    "checkpoints",
    "organizations",
    "projects",
    "teams",
}


def check_audit_event_type(value: str) -> AuditEventType:
    if value in AUDIT_EVENT_TYPE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {AUDIT_EVENT_TYPE_VALUES!r}")
