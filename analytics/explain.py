"""What a finding may mean: likely causes with what speaks for and against, what is like it in the past, and its events' query."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import timedelta

from analytics.marks import Mark, Verdict
from analytics.rules.load import pack
from analytics.rules.model import actions_of
from store.event import iso
from store.finding import Finding, Severity

MOST_SIMILAR = 5
_DENIED = frozenset(("credential_probe",))
_PULLS = frozenset(("pull_volume", "new_reach"))

# Kind → (what it is if it is an attack, what it is if it is none).
CAUSES: dict[str, tuple[str, str]] = {
    "password_guessing": ("somebody guesses a password (T1110.001)", "a script with an old password"),
    "password_spraying": (
        "somebody tries one password on many accounts (T1110.003)",
        "a shared address on a bad morning",
    ),
    "distributed_guessing": (
        "one account is guessed from many addresses (T1110.004)",
        "settings with an old token on many nodes",
    ),
    "slow_guessing": (
        "somebody guesses a password, slowly enough for every limit (T1110.001)",
        "a device at a new place with an old password",
    ),
    "credential_stuffing": (
        "stolen pairs of names and passwords are tried (T1110.004)",
        "passwords that ran out for many at once",
    ),
    "forbidden_probe": ("somebody tries what his credentials open (T1613)", "a new job in the wrong project"),
    "expired_credential": ("a stolen token that was revoked is tried (T1550.001)", "a token that ran out"),
    "pull_surge": (
        "images are carried off, or read for the secrets in them (T1213, T1530, T1552.001)",
        "a migration, a mirror, a scan, a new cluster",
    ),
    "pull_surge_from_many": ("many stolen tokens at once (T1078)", "a scale-out, a release, retries after an outage"),
    "new_repositories": (
        "images are carried off, perhaps with a stolen token (T1213, T1530, T1078.004)",
        "a new task of this account",
    ),
    "new_reach": (
        "images are carried off slowly, or read for the secrets in them (T1213, T1567, T1552.001)",
        "a new task, a new team, an audit",
    ),
    "new_images": ("somebody who leaves takes the images along (T1213)", "a test of many versions"),
    "release_tag_overwritten": ("a release was replaced (T1525, T1195.002)", "a release that was built again"),
    "tag_rolled_back": ("a way back to a known hole (T1195.002)", "a release that was taken back"),
    "used_unsafe": ("an image goes round the checks (T1525, T1610)", "a signer or scanner that is down or slow"),
    "push_without_companions": (
        "an image was put in from outside the build (T1525)",
        "a repair by hand, a changed pipeline",
    ),
    "look_alike_repository": ("bait for typing errors (T1036.005, T1195)", "a fork or a successor with a similar name"),
    "dormant_account_wakes": (
        "somebody found an account that nobody watches (T1078.002)",
        "a rare job, somebody who was away",
    ),
    "deleted_account_goes_on": ("a token outlived its account (T1550.001)", "settings that were not cleaned up"),
    "account_elsewhere": (
        "a token or password is in other hands (T1078.004, T1552)",
        "a runner, cluster or person that was moved",
    ),
    "unknown_account_reaches": (
        "an account was made to get in and stay (T1136, T1098.001)",
        "a new tool, a new colleague",
    ),
    "old_versions_taken": (
        "old images are searched for secrets, or taken along (T1552.001, T1213)",
        "a search for the version that broke",
    ),
    "stranger_push_used": (
        "an image of a stranger is run, or built upon (T1525, T1195.002)",
        "a repair by a colleague",
    ),
    "pull_account_writes": (
        "whoever has a cluster's password puts images where it fetches them (T1525, T1078.004, T1552.007)",
        "a build or tool in the cluster that was given the cluster's own account",
    ),
    "own_build_runs": (
        "an image that no pipeline built runs on nodes (T1610, T1204.003)",
        "a test on a real cluster, a repair by hand",
    ),
    "hand_made_image_runs": (
        "an image for other ends runs here, such as a miner (T1496, T1610)",
        "a first version made by hand",
    ),
    "own_name_from_outside": (
        "an image of one's own name was put where the cache fetches (T1195.001)",
        "a wrong path in a manifest",
    ),
    "attached_by_stranger": (
        "somebody vouches for images who has no business to (T1553, T1195.002)",
        "a signer or scanner that begins its work",
    ),
    "untagged_image_used": (
        "an image is run that no list shows (T1525, T1610)",
        "a pipeline that hands digests on",
    ),
    "image_came_and_went": (
        "an image was run and its traces removed (T1610, T1070)",
        "a test that cleans up behind itself",
    ),
    "tags_pile_up": (
        "good tags are pushed out of what a clean-up keeps, or out of sight (T1485.001, T1499)",
        "a pipeline that tags each run",
    ),
    "new_through_cache": (
        "tools are fetched past the firewall (T1105, T1588.002)",
        "somebody who begins something new with others' images",
    ),
    "fetched_over_and_over": (
        "traffic is made that somebody pays for (T1499, T1496)",
        "a job that keeps nothing, a node that tries again",
    ),
    "accounts_gathered": (
        "tokens of several teams are in one pair of hands (T1078.004, T1552)",
        "a shared runner that is being added",
    ),
    "signature_replaced": (
        "somebody with a key vouches for other images than were built (T1553, T1552.004, T1195.002)",
        "keys that were changed, a second signature on release",
    ),
    "signature_without_image": (
        "somebody has the signer vouch for images that are elsewhere (T1553.002, T1552.004, T1195.002)",
        "images that are signed before they are copied here",
    ),
    "signature_removed": (
        "a check is taken away before the image is (T1553, T1562.001)",
        "keys that are renewed, a clean-up of signatures",
    ),
    "release_by_stranger": (
        "a release was put in place of the rightful one (T1525, T1195.002)",
        "somebody new releases here, a release by hand",
    ),
    "versions_pile_up": (
        "good versions are pushed out of what a clean-up keeps, or storage is filled (T1485.001, T1499)",
        "a build that runs in a loop",
    ),
    "layers_looked_for": (
        "images that have a layer with a known hole are looked for (T1613, T1595.002)",
        "an inventory of what is built on an old base",
    ),
    "blobs_alone": (
        "images are carried off past whoever counts pulls (T1213, T1530)",
        "a tool that fetches layers by itself",
    ),
    "node_beyond_cluster": (
        "somebody on a node uses the cluster's account (T1078.004, T1213)",
        "work that is bound to one node",
    ),
    "image_in_use_deleted": (
        "images are taken away to do damage (T1485, T1490)",
        "a clean-up that does not know what runs",
    ),
    "deleted_image_returns": (
        "an image that was withdrawn is put back by somebody who kept it (T1525, T1195.002)",
        "a delete that was a mistake, and its repair",
    ),
    "account_out_of_character": (
        "somebody else uses the account, with tools of their own (T1078, T1078.004, T1552, T1525)",
        "the account was given another task, or its owner another tool",
    ),
    "account_shared": (
        "a password goes round, or is in several hands (T1078)",
        "a course or a visit among colleagues, each with this account",
    ),
    "signed_by_wrong_hands": (
        "an image went round the second pair of eyes (T1195.002)",
        "a signer that was replaced",
    ),
    "log_thinned": (
        "somebody takes lines away (T1562.008)",
        "a replica, collector or log shipper that stopped; an outage of the clusters' network",
    ),
    "cluster_silent": (
        "its machines were told to take images from somebody else (T1557, T1565.002)",
        "it was switched off, moved to another registry, or lost its network",
    ),
    "project_unasked": (
        "its machines were told to take these images from somebody else (T1557, T1565.002, T1195.002)",
        "what it ran of the project was switched off or moved",
    ),
    "off_timetable": (
        "the credentials of a job are in other hands (T1078.004)",
        "a job that was started by hand, or a schedule that was changed",
    ),
    "timetable_missed": (
        "somebody stopped the scanner, or it was blinded (T1562.001)",
        "a job that failed, was moved or is no more",
    ),
    "timetable_narrowed": (
        "somebody took a project off the scanner's list (T1562.001)",
        "a project that was taken off on purpose, or rights that were lost",
    ),
    "deletes_add_up": (
        "images are destroyed, slowly enough not to be missed (T1485)",
        "a new duty: tidying up by hand",
    ),
    "young_versions_deleted": (
        "good versions are destroyed under the name of the clean-up (T1485, T1490)",
        "broken versions that were taken back by way of the clean-up",
    ),
    "uploads_without_image": (
        "storage is filled, or used to park data (T1499, T1074)",
        "a build whose pushes break off each time",
    ),
    "artifact_fetched_elsewhere": (
        "data is handed over, or carried out, by way of the registry (T1102, T1074)",
        "a new sort of artifact, tried from a new place",
    ),
    "job_missing": ("somebody stopped it (T1562.008)", "a job that failed, or was moved"),
    "report_missing": ("somebody keeps the log from being read (T1562.008)", "a job that failed, or was moved"),
    "source_silent": ("somebody keeps the log from being told (T1562.008)", "a sender that failed, or was moved"),
    "channels_disagree": (
        "somebody cut lines out of one log (T1070.002, T1562.008)",
        "a log that was rotated away, or a sender that lost lines",
    ),
    "expected_event_missing": (
        "somebody keeps it from happening, or from being logged (T1562.008)",
        "a job that failed",
    ),
    "odd_hour_of_many": (
        "many accounts are used by somebody else (T1078)",
        "an outage, a release, a change of the network",
    ),
    "odd_actor_hour": ("an account is used by somebody else (T1078)", "an unusual day"),
}


def query_of(finding: Finding) -> str:
    """The `regsight events …` that shows the events behind it."""
    since, until = iso(finding.start)[:19] + "Z", iso(finding.end + timedelta(seconds=1))[:19] + "Z"
    words = ["regsight", "events", "--since", since, "--until", until]
    for action in _actions(finding):
        words += ["--action", action]
    if finding.detector in _DENIED and finding.kind != "forbidden_probe":
        words += ["--outcome", "denied", "--outcome", "success"]
    for subject in ("actor", "client"):
        named = finding.subjects.get(subject, [])
        if len(named) == 1:
            words += [f"--{subject}", named[0]]
    repositories = finding.subjects.get("repository", [])
    projects = {name.partition("/")[0] for name in repositories}
    if len(repositories) == 1:
        words += ["--repository", repositories[0]]
    elif len(projects) == 1:
        words += ["--repository", f"{projects.pop()}/*"]
    return shlex.join(words)


def _actions(finding: Finding) -> tuple[str, ...]:
    if finding.detector in _PULLS:
        return ("pull",)
    if finding.detector == "tag_ledger":
        return ("push", "tag", "check", "pull")
    rule = next((rule for rule in pack() if finding.detector == "rules" and rule.id == finding.kind), None)
    return actions_of(rule.match) if rule else ()


def causes_of(finding: Finding, similar: Iterable[str] = ()) -> list[str]:
    """The likely causes, the likelier one first, each with what speaks for and against it."""
    rule = next((rule for rule in pack() if finding.detector == "rules" and rule.id == finding.kind), None)
    if rule is not None:
        attack, harmless = f"what the rule is for ({', '.join(rule.attack)})", "; ".join(rule.false_positives)
    elif finding.kind in CAUSES:
        attack, harmless = CAUSES[finding.kind]
    else:
        return []
    told = list(similar)
    expected = sum(f"marked {Verdict.EXPECTED}" in one for one in told)
    attacks = sum(f"marked {Verdict.ATTACK}" in one for one in told)
    unusual = finding.severity.rank >= Severity.MEDIUM.rank
    against = [f"{expected} like it were marked as expected"] if expected else []
    against += [] if unusual else ["what makes it grave is not there"]
    speaks = [finding.observed] + ([f"{attacks} like it were marked as attacks"] if attacks else [])
    for_harmless = [f"{expected} like it were marked as expected"] if expected else ["it happens now and then"]
    against_harmless = [finding.explanation] if unusual and finding.explanation else []
    said = [
        _said(attack, speaks, against),
        _said(harmless, for_harmless, against_harmless),
    ]
    return said if unusual and expected <= attacks else said[::-1]


def _said(cause: str, speaks: Sequence[str], against: Sequence[str]) -> str:
    return f"{cause}. For it: {'; '.join(speaks) or 'nothing seen'}. Against it: {'; '.join(against) or 'nothing seen'}"


def similar_to(finding: Finding, past: Iterable[Finding], marks: Sequence[Mark]) -> list[str]:
    """Earlier findings of the same kind about one of the same names, newest first, and what they were marked as."""
    own = {(sort, name) for sort in ("actor", "client", "repository") for name in finding.subjects.get(sort, [])}
    found = []
    for one in past:
        if one.id == finding.id or (one.detector, one.kind) != (finding.detector, finding.kind):
            continue
        if one.detected_at <= finding.detected_at and own & {
            (sort, name) for sort, of_it in one.subjects.items() for name in of_it
        }:
            found.append(one)
    found.sort(key=lambda one: (one.detected_at, one.id), reverse=True)
    said = []
    for one in found[:MOST_SIMILAR]:
        verdicts = [mark.verdict for mark in marks if mark.finding == one.id]
        verdict = f"marked {verdicts[0]}" if verdicts else "not marked"
        said.append(f"{one.id} ({one.detected_at:%Y-%m-%d}, {one.severity}) {verdict}")
    return said
