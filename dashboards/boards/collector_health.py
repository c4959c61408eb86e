"""Is Regsight itself well: does it keep up, does it lose anything, do its jobs run?"""

from __future__ import annotations

from dashboards import queries as q
from dashboards.board import Board, Unit
from dashboards.kit import HALF, THIRD, bar_gauge, stat, time_series
from dashboards.variables import SOURCE

OVERVIEW, SECURITY = "regsight-overview", "regsight-security"

_figures = (
    stat(
        "Behind",
        q.WORST_LAG,
        unit=Unit.SECONDS,
        description="Age of the newest stored event at the source that is furthest behind; 0 when everything is read.",
        link=OVERVIEW,
        warn=60,
        bad=300,
        width=HALF,
    ),
    stat(
        "Dead letters",
        q.DEAD_LETTERS_IN_RANGE,
        unit=Unit.COUNT,
        description="Lines that nobody could read. They are kept with the reason and can be read again after a fix.",
        link=OVERVIEW,
        warn=1,
        width=HALF,
    ),
)

_reading = (
    time_series(
        "Lag in seconds",
        q.LAG_SECONDS,
        unit=Unit.SECONDS,
        description="Age of the newest stored event while there is unread data.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Lag in bytes",
        q.LAG_BYTES,
        unit=Unit.BYTES,
        description="Bytes of the source that are not stored yet.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Read",
        q.READ_BYTES,
        unit=Unit.BYTES_PER_SECOND,
        description="Bytes read a second, by source.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Lines by result",
        q.LINES_BY_RESULT,
        unit=Unit.PER_SECOND,
        description="Every line ends as an event, a dead letter or ignored (a format's own line that is no event).",
        link=OVERVIEW,
        width=HALF,
        stacked=True,
    ),
    time_series(
        "Dead letters by reason",
        q.DEAD_LETTERS_BY_REASON,
        unit=Unit.PER_SECOND,
        description="Unreadable lines a second. A new reason usually means a registry was upgraded.",
        link=OVERVIEW,
        width=HALF,
        stacked=True,
    ),
    bar_gauge(
        "Dead letters by source",
        q.DEAD_LETTERS,
        unit=Unit.COUNT,
        description="Unreadable lines in the chosen time, by source and reason.",
        link=OVERVIEW,
        width=HALF,
    ),
    bar_gauge(
        "Source failures",
        q.SOURCE_FAILURES,
        unit=Unit.COUNT,
        description="How often a source stopped with an error and was started again.",
        link=OVERVIEW,
        width=HALF,
    ),
    bar_gauge(
        "Syslog not taken",
        q.SYSLOG_DROPPED,
        unit=Unit.COUNT,
        description="Connections refused or closed and datagrams lost in the span shown, by source and reason.",
        link=OVERVIEW,
        width=HALF,
    ),
    bar_gauge(
        "Gaps noticed",
        q.GAPS,
        unit=Unit.COUNT,
        description="Losses noticed in the chosen time, by source and kind; `regsight gaps` says what is missing.",
        link=OVERVIEW,
        width=HALF,
    ),
)

_shapes = (
    time_series(
        "Unread share",
        q.UNREAD_RATIO,
        unit=Unit.SHARE,
        description="Of the lines of the last ten minutes of reading. A step up: a registry or proxy writes in another way.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Events without user, address, repository",
        q.NO_USER_OR_ADDRESS,
        unit=Unit.SHARE,
        description="A step up where nothing is unread: a field was renamed, or a proxy no longer hands it on.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "New JSON fields",
        q.NEW_FIELDS,
        unit=Unit.COUNT,
        description="Names that this source never wrote before: the first sign of a new release.",
        link=OVERVIEW,
        width=THIRD,
    ),
)

_storing = (
    time_series(
        "Commits",
        q.COMMITS,
        unit=Unit.PER_SECOND,
        description="Commits a second by how they ended; unavailable ones are tried again.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Commit duration",
        *q.COMMIT_DURATION,
        unit=Unit.SECONDS,
        description="Time the store took for a commit.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Store errors",
        q.STORE_ERRORS,
        unit=Unit.PER_SECOND,
        description="unavailable: will be tried again; rejected: never will work, somebody must look.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Batches",
        q.BATCHES,
        unit=Unit.PER_SECOND,
        description="Batches handed to the store a second.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Rows in a batch",
        *q.BATCH_ROWS,
        unit=Unit.COUNT,
        description="Full batches mean that the collector is catching up.",
        link=OVERVIEW,
        width=THIRD,
    ),
    time_series(
        "Receiver requests",
        q.RECEIVER_REQUESTS,
        unit=Unit.PER_SECOND,
        description="Notifications received over HTTP, by endpoint and class of the answer.",
        link=OVERVIEW,
        width=THIRD,
    ),
)

_jobs = (
    bar_gauge(
        "Time since the last success",
        q.JOB_LAST_SUCCESS_AGE,
        unit=Unit.SECONDS,
        description="How long ago each job last succeeded. A job that never did is missing here, and alerted on.",
        link=SECURITY,
    ),
    bar_gauge(
        "Job runs",
        q.JOB_RUNS,
        unit=Unit.COUNT,
        description="Runs in the chosen time by job and how they ended.",
        link=SECURITY,
    ),
    time_series(
        "Detection duration, p95",
        q.DETECTION_DURATION,
        unit=Unit.SECONDS,
        description="95 % of the runs of each detector were faster.",
        link=SECURITY,
        width=THIRD,
    ),
)

_time = (
    time_series(
        "Behind in event time",
        q.WATERMARK_AGE,
        unit=Unit.SECONDS,
        description="Age of the newest event that each source has told of. A quiet registry rises too.",
        link=OVERVIEW,
        width=HALF,
    ),
    time_series(
        "Late rows",
        q.LATE_ROWS,
        unit=Unit.PER_SECOND,
        description="Rows stored after the time they tell of was judged; that time is judged again.",
        link=OVERVIEW,
        width=HALF,
    ),
    bar_gauge(
        "Findings amended",
        q.AMENDED,
        unit=Unit.COUNT,
        description="Findings that late rows changed or explained, in the chosen time.",
        link=SECURITY,
        width=HALF,
    ),
    bar_gauge(
        "Model drift",
        q.MODEL_DRIFT,
        unit=Unit.COUNT,
        description="Population stability index of the last week against the training; above 0.25 it is another world.",
        link=SECURITY,
        width=HALF,
    ),
    bar_gauge(
        "Runs out in",
        q.EXHAUSTION,
        unit=Unit.SECONDS,
        description="Time until each limit is reached, as `regsight forecast` says.",
        link=OVERVIEW,
        width=HALF,
    ),
)

BOARD = Board(
    uid="regsight-collector-health",
    title="Regsight: collector health",
    description="Does Regsight keep up, lose anything, run its jobs?",
    variables=(SOURCE,),
    sections=(
        ("At a glance", _figures),
        ("Reading", _reading),
        ("Shape of the lines", _shapes),
        ("Storing", _storing),
        ("Jobs", _jobs),
        ("Time, models, limits", _time),
    ),
)
