"""The commands, each in the file that has it. `regsight --help` and completion need their names and first sentences alone,
so those stand here: nothing of a command is imported before it is called (a test holds the sentences equal)."""

COMMANDS = {  # name: (file, first sentence), in the order in which they are shown
    "demo": (
        "running",
        "The main job on real input: captured registry logs behind a fortnight of traffic with planted "
        "attacks, then the page.",
    ),
    "run": (
        "running",
        "Collect, detect, alert, report and serve the page, all from one settings file, until SIGTERM or Ctrl-C.",
    ),
    "collect": ("collecting", "Read log files into the store."),
    "parse": ("collecting", "Show what a file's lines mean, as JSON lines."),
    "formats": ("collecting", "The registry log formats that Regsight reads."),
    "gaps": (
        "gaps",
        "What was read without a hole, what is missing and why, what came twice, and where two logs disagree.",
    ),
    "verify": ("gaps", "Are the log files, and the events made of them, still what was read? Exit code 3 if not."),
    "events": ("showing", "Events from the store, oldest first: who did what, when, from where, and how it ended."),
    "status": ("showing", "Sources with lag, what the store holds, the last run of each job."),
    "sessions": (
        "behaving",
        "Pulls and pushes as people count them: one line for all the requests of one client's one act.",
    ),
    "traffic": (
        "behaving",
        "Which account, address and tool is people, ci, cluster, scanner, mirror, probe or noise, and why.",
    ),
    "tail": ("watching", "Events as they are stored, newest last."),
    "top": (
        "watching",
        "Who is busiest right now: actors, addresses and repositories, what was refused, which incidents are open.",
    ),
    "why": (
        "watching",
        "Where something comes from: an event's lines, byte for byte where they are still there, and the "
        "findings that name it; a finding's reasons; an incident's story.",
    ),
    "blast": (
        "investigating",
        "Blast radius: who pushed and pulled a digest, from where, which tags pointed to it, where it may "
        "run, what was pushed after it was pulled, what else the same actors touched.",
    ),
    "detect": (
        "finding",
        "Run the detectors over a span of event time, in the steps in which the timetable would have run them.",
    ),
    "forecast": (
        "forecasting",
        "When rate limits, quotas, storage, disks, certificates and tokens run out, with how sure that is.",
    ),
    "report": (
        "reporting",
        "Write one self-contained HTML file (no network, no script needed) and the same figures as JSON, "
        "Markdown or PDF.",
    ),
    "costs": (
        "reporting",
        "What distribution costs and could save: bytes per project and network, repeated downloads, the share "
        "that a pull-through cache would have served.",
    ),
    "simulate": (
        "simulating",
        "Simulate a registry's traffic: log files as a registry writes them, and truth.json with what was planted.",
    ),
    "evaluate": (
        "evaluating",
        "Plant attacks and surprises in simulated traffic, run the whole way over it, and hold findings "
        "against the truth.",
    ),
    "dead-letters": ("dead_letters", "Lines that nobody could read, with the reason."),
    "store": ("store", "Look after what is kept: retention, legal hold, copies, damage."),
    "findings": ("finding", "What was found."),
    "rules": ("rules", "Rules as data."),
    "models": ("models", "What was learned, what is in service, and why."),
    "sources": ("sources", "How far each source has come in event time, and how late it is."),
    "incidents": ("incidents", "What happened, as stories."),
    "dashboards": ("dashboards", "Grafana boards and Prometheus rules as code."),
    "alerts": ("alerting", "Who is told."),
    "config": ("alerting", "The settings."),
    "silences": ("silences", "What nobody is told of for a while."),
}
