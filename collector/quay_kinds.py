"""The kinds of Quay's action log, as initdb.py of quay/quay lists them, and what they mean here."""

from __future__ import annotations

import re

from store.event import Action, Outcome

_KINDS: dict[str, Action] = {
    "pull_repo": Action.PULL,
    "push_repo": Action.PUSH,
    "create_tag": Action.TAG,
    "move_tag": Action.TAG,
    "revert_tag": Action.TAG,
    "delete_tag": Action.UNTAG,
    "permanently_delete_tag": Action.DELETE,
    "delete_repo": Action.DELETE,
    "autoprune_tag_delete": Action.RETAIN,
    "login": Action.LOGIN,
    "logout": Action.LOGOUT,
    "federated_robot_token_exchange": Action.TOKEN,
}
# Labels, builds and exports of the log itself are no business of an image's.
IGNORED = frozenset(
    (
        "manifest_label_add",
        "manifest_label_delete",
        "build_dockerfile",
        "start_build_trigger",
        "cancel_build",
        "export_logs_success",
        "export_logs_failure",
    )
)
_REPLICATION = re.compile(r"(?:repo|org)_mirror_sync_.+")
# Who may do what: accounts, robots, teams, tokens, and whether a repository is public.
_RIGHTS = re.compile(
    r"user_.+|account_.+|.+_robot(?:_.+)?|regenerate_robot_token|.+_permission|.+_visibility|.+token.*|org_.*team.*|.+_team_.+"
    r"|.+_application|reset_application_client_secret|service_key_.+|take_ownership|org_(?:create|delete)"
)
_SETTINGS = re.compile(
    r"(?:create|update|modify|change|add|delete|set|reset|setup|toggle|org|repo_mirror|tags?_made)_.+"
)
_ENDS = re.compile(r"(.+)_(failed|failure|success|started|requested|cancelled)")
_OUTCOMES = {"success": Outcome.SUCCESS, "started": Outcome.UNKNOWN, "requested": Outcome.UNKNOWN}
_CHANGES = {
    "create_robot": "robot_created",
    "delete_robot": "robot_deleted",
    "regenerate_robot_token": "robot_changed",
    "user_create": "user_created",
    "user_delete": "user_deleted",
    "user_disable": "user_disabled",
    "user_enable": "user_enabled",
    "user_change_password": "user_changed",
    "user_change_email": "user_changed",
    "user_change_name": "user_changed",
    "org_create": "organization_created",
    "org_delete": "organization_deleted",
    "org_add_team_member": "member_created",
    "org_remove_team_member": "member_deleted",
    "add_repo_permission": "permission_created",
    "change_repo_permission": "permission_changed",
    "delete_repo_permission": "permission_deleted",
}
# Only a missing right makes a row of these; other failures of a push make none.
_REFUSED = frozenset((Action.PULL, Action.PUSH, Action.UNTAG, Action.LOGIN))


def meaning(kind: str) -> tuple[Action, Outcome]:
    """Action and outcome of a kind; one that is not known is `other`, and was done like all that is logged."""
    ends = _ENDS.fullmatch(kind)
    stem, end = (ends[1], ends[2]) if ends else (kind, "success")
    action = _KINDS.get(stem) or _KINDS.get(kind) or _family(kind)
    if end in ("failed", "failure") and action in _REFUSED:
        return action, Outcome.DENIED
    return action, _OUTCOMES.get(end, Outcome.FAILURE)


def change_of(kind: str) -> str | None:
    """`robot_deleted`, `user_created` … of a kind about an account; None for all others."""
    return _CHANGES.get(kind)


def _family(kind: str) -> Action:
    if _REPLICATION.fullmatch(kind):
        return Action.REPLICATE
    if _RIGHTS.fullmatch(kind):
        return Action.PERMISSION
    return Action.CONFIG if _SETTINGS.fullmatch(kind) else Action.OTHER
