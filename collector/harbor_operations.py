"""What Harbor's audit rows mean, whichever way they come: REST pages, the forwarded log, a dump of the table.

A row is an operation (`create`, `pull`, `delete` …) on a resource of a type (`artifact`, `tag`, `project`, `robot` …).
Operations: src/pkg/auditext/model of goharbor/harbor and the topics of src/controller/event.
"""

from __future__ import annotations

import re

from collector.image_reference import read_image
from store.event import BAD_CREDENTIALS, Action, Event, Outcome

_ACTIONS: dict[tuple[str, str], Action] = {
    ("artifact", "create"): Action.PUSH,
    ("artifact", "pull"): Action.PULL,
    ("artifact", "delete"): Action.DELETE,
    ("tag", "create"): Action.TAG,
    ("tag", "delete"): Action.UNTAG,
    ("repository", "delete"): Action.DELETE,
    ("user", "login"): Action.LOGIN,
    ("user", "logout"): Action.LOGOUT,
}
# Whatever else is done to these.
_BY_RESOURCE: dict[str, Action] = {
    "project": Action.CONFIG,
    "repository": Action.CONFIG,
    "configuration": Action.CONFIG,
    "user": Action.PERMISSION,
    "member": Action.PERMISSION,
    "robot": Action.PERMISSION,
    # The types below are those of the API; which of them the log has depends on Harbor's version.
    "registry": Action.CONFIG,  # an endpoint that images are replicated to or from
    "replication": Action.CONFIG,
    "replication_policy": Action.CONFIG,
    "retention": Action.CONFIG,
    "tag_retention": Action.CONFIG,
    "immutable": Action.CONFIG,
    "immutable_tag": Action.CONFIG,
    "quota": Action.CONFIG,
    "purge_audit": Action.CONFIG,
    "gc": Action.GC,
    "garbage_collection": Action.GC,
}
_CHANGES = {"create": "created", "update": "changed", "delete": "deleted"}
_ROBOT_OF_PROJECT = re.compile(r"[^$]{0,100}\$([^+]{1,255})\+")


def action_of_operation(resource_type: str, operation: str) -> Action:
    return _ACTIONS.get((resource_type, operation)) or _BY_RESOURCE.get(resource_type, Action.OTHER)


def result_of_operation(succeeded: bool, action: Action) -> Event:
    """Outcome and reason. A login that did not succeed was refused; the table knows no other cause."""
    if succeeded:
        return {"outcome": Outcome.SUCCESS.value}
    if action is Action.LOGIN:
        return {"outcome": Outcome.DENIED.value, "reason": BAD_CREDENTIALS}
    return {"outcome": Outcome.FAILURE.value}


def target_of_operation(resource_type: str, operation: str, resource: str | None) -> Event:
    """Which account, robot, project or setting was changed, and how; nothing for images, and for what people only use."""
    end = _CHANGES.get(operation)
    if (resource_type, operation) in _ACTIONS or resource_type not in _BY_RESOURCE or not resource or end is None:
        return {}
    return {"target": resource, "change": f"{resource_type}_{end}"}


def subject_of_operation(resource_type: str, resource: str | None, description: str | None) -> Event:
    """Repository, reference and project that a row is about, as far as it names them."""
    if resource is None:
        return {}
    if resource_type in ("artifact", "tag"):
        image = read_image(resource)
        # `push artifact: repo@sha256:…` names the digest also where the resource has only the tag.
        described = read_image((description or "").rpartition(" ")[2])
        digest = image.digest or described.digest
        return {
            "repository": image.repository,
            "reference": image.tag or image.digest,
            "tag": image.tag,
            "digest": digest,
        }
    if resource_type == "repository":
        return {"repository": resource}
    if resource_type == "project":
        return {"project": resource}
    if resource_type == "robot" and (found := _ROBOT_OF_PROJECT.match(resource)) is not None:
        return {"project": found[1]}
    return {}
