"""What the boards about repositories, actors, the supply chain and capacity ask of the event store."""

from __future__ import annotations

from dashboards.words import EVENT_COUNT, OVER_TIME, Elastic, add_up, different, earliest, latest, newest, stored, top

PULLED, PUSHED = "event.action:pull AND event.outcome:success", "event.action:push AND event.outcome:success"
DOWNLOADED = "event.action:layer_download AND event.outcome:success"
UPLOADED = "event.action:(layer_upload OR push) AND event.outcome:success"

# -- One repository's life. `$repository` is one value, always quoted: names hold slashes, which Lucene reads as its own.

THIS = 'oci.repository:"$repository"'
_BY_ACTION = (top("action"), OVER_TIME)
REPOSITORY_EVENTS = Elastic(query=stored(THIS), metric=EVENT_COUNT, buckets=_BY_ACTION)
REPOSITORY_PULLS = Elastic(
    query=stored(f"{THIS} AND {PULLED}"), metric=EVENT_COUNT, buckets=(top("oci.tag"), OVER_TIME)
)
REPOSITORY_PUSHES = Elastic(
    query=stored(f"{THIS} AND {PUSHED}"), metric=EVENT_COUNT, buckets=(top("oci.tag"), OVER_TIME)
)
REPOSITORY_PULLERS = Elastic(
    query=stored(f"{THIS} AND {PULLED}"), metric=EVENT_COUNT, buckets=(top("user.name", 20),), also=(latest(),)
)
REPOSITORY_ADDRESSES = Elastic(
    query=stored(f"{THIS} AND {PULLED}"), metric=EVENT_COUNT, buckets=(top("source.ip", 20),), also=(latest(),)
)
REPOSITORY_PUSHERS = Elastic(
    query=stored(f"{THIS} AND {PUSHED}"), metric=EVENT_COUNT, buckets=(top("user.name", 20),), also=(latest(),)
)
# A tag that more than one digest was pushed under has moved.
TAG_MOVES = Elastic(
    query=stored(f"{THIS} AND {PUSHED} AND _exists_:oci.digest"),
    metric=different("oci.digest"),
    buckets=(top("oci.tag", 20, order_by="1"),),
    also=(latest(),),
)
REPOSITORY_REFUSED = Elastic(
    query=stored(f"{THIS} AND event.outcome:denied"), metric=EVENT_COUNT, buckets=(top("event.reason"), OVER_TIME)
)
REPOSITORY_CHANGES = Elastic(
    query=stored(f"{THIS} AND event.action:(push OR delete OR tag OR untag OR retain OR replicate)"), metric=newest()
)

# -- Who. The accounts that were chosen, at first all of them.

THEM = "(user.name:$actor)"
ALL_ACTORS = "* OR (NOT _exists_:user.name)"
ACTOR_ACTIONS = Elastic(query=stored(THEM), metric=EVENT_COUNT, buckets=_BY_ACTION)
ACTOR_KINDS = Elastic(query=stored(THEM), metric=EVENT_COUNT, buckets=(top("oci.actor.kind"), OVER_TIME))
ACTOR_TRAFFIC = Elastic(query=stored(THEM), metric=EVENT_COUNT, buckets=(top("oci.traffic.class"), OVER_TIME))
ACTORS_COUNTED = Elastic(query=stored(THEM), metric=different("user.name"), buckets=(OVER_TIME,), alias="accounts")
ACTORS_BUSIEST = Elastic(
    query=stored(THEM), metric=EVENT_COUNT, buckets=(top("user.name", 25),), also=(different("source.ip"), latest())
)
ACTORS_SPREAD = Elastic(
    query=stored(f"{THEM} AND {PULLED}"),
    metric=different("oci.repository"),
    buckets=(top("user.name", 15, order_by="1"),),
)
ACTORS_REFUSED = Elastic(
    query=stored(f"{THEM} AND event.outcome:denied"),
    metric=EVENT_COUNT,
    buckets=(top("user.name", 15),),
    also=(latest(),),
)
ACTOR_ADDRESSES = Elastic(
    query=stored(THEM), metric=EVENT_COUNT, buckets=(top("source.ip", 25),), also=(different("user.name"), latest())
)
ACTOR_TOOLS = Elastic(query=stored(THEM), metric=EVENT_COUNT, buckets=(top("oci.client.class", 15),))
ACTOR_CHANGES = Elastic(
    query=stored(f"{THEM} AND event.action:(push OR delete OR untag OR permission OR config)"), metric=newest()
)

# -- What was pushed, signed, scanned, and run before anybody had looked at it

CHAIN = "event.action:(push OR sign OR scan OR referrers)"
CHAIN_BY_ACTION = Elastic(query=stored(CHAIN), metric=EVENT_COUNT, buckets=_BY_ACTION)
DIGESTS_PUSHED = Elastic(query=stored(PUSHED), metric=different("oci.digest"), buckets=(OVER_TIME,), alias="pushed")
DIGESTS_PULLED = Elastic(query=stored(PULLED), metric=different("oci.digest"), buckets=(OVER_TIME,), alias="pulled")
SCANS = Elastic(query=stored("event.action:scan"), metric=EVENT_COUNT, buckets=(top("event.outcome"), OVER_TIME))
SIGNED = Elastic(
    query=stored("event.action:sign AND event.outcome:success"),
    metric=EVENT_COUNT,
    buckets=(top("oci.repository", 20),),
    also=(latest(),),
)
PUSHED_BY = Elastic(
    query=stored(PUSHED),
    metric=EVENT_COUNT,
    buckets=(top("user.name", 20),),
    also=(different("oci.repository"), latest()),
)
# Two questions that the panel joins by digest: when it was first pulled, when it was first scanned.
FIRST_PULLS = Elastic(
    query=stored(f"{PULLED} AND _exists_:oci.digest"),
    metric=EVENT_COUNT,
    buckets=(top("oci.digest", 50),),
    also=(earliest(),),
)
FIRST_SCANS = Elastic(
    query=stored("event.action:scan AND event.outcome:success AND _exists_:oci.digest"),
    metric=earliest(),
    buckets=(top("oci.digest", 1000),),
)
REWRITTEN = Elastic(query=stored("event.action:(delete OR untag OR tag OR retain)"), metric=newest())

# -- What it weighs, by whom, and how much was fetched again

_OUT, _IN = "http.response.body.bytes", "http.request.body.bytes"
OUT_BY_PROJECT = Elastic(
    query=stored(DOWNLOADED), metric=add_up(_OUT), buckets=(top("oci.project", order_by="1"), OVER_TIME)
)
IN_BY_PROJECT = Elastic(
    query=stored(UPLOADED), metric=add_up(_IN), buckets=(top("oci.project", order_by="1"), OVER_TIME)
)
OUT_BY_ACTION = Elastic(query=stored(), metric=add_up(_OUT), buckets=(top("action", 15, order_by="1"),))
OUT_BY_ACTOR = Elastic(
    query=stored(DOWNLOADED), metric=add_up(_OUT), buckets=(top("user.name", 15, order_by="1"),), also=(EVENT_COUNT,)
)
# Downloads against different layers: the rest was fetched before, by somebody.
AGAIN_BY_REPOSITORY = Elastic(
    query=stored(f"{DOWNLOADED} AND _exists_:oci.digest"),
    metric=EVENT_COUNT,
    buckets=(top("oci.repository", 25),),
    also=(different("oci.digest"), add_up(_OUT)),
)
DOWNLOADS = Elastic(
    query=stored(f"{DOWNLOADED} AND _exists_:oci.digest"), metric=EVENT_COUNT, buckets=(OVER_TIME,), alias="downloads"
)
LAYERS = Elastic(
    query=stored(f"{DOWNLOADED} AND _exists_:oci.digest"),
    metric=different("oci.digest"),
    buckets=(OVER_TIME,),
    alias="different layers",
)
