"""Words that names are made of, and the agents that clients name themselves by."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROJECTS = _words(
    "payments webshop platform search mobile media billing identity logistics warehouse analytics catalog crm "
    "messaging maps pricing ledger fraud support training research docs portal iot video audio games travel "
    "insurance lending claims assets sensors print legal people security network storage events "
)
PARTS = _words(
    "api worker frontend gateway cron migrator auth reports ingest export notifier scheduler proxy admin batch "
    "indexer cache importer renderer webhook consumer producer dashboard cli mailer thumbnailer matcher quotes "
    "sessions tokens audit limits feed router "
)
BASES = ("debian-base", "alpine-base", "python", "node", "jdk")
UPSTREAM = _words("nginx redis postgres rabbitmq memcached haproxy busybox golang")  # as on a public registry
FIRST = _words(
    "irina tomasz lee jonas maria chen amira oscar nina pavel sofia diego hanna kofi yuki lars elena marco "
    "priya samir greta ivan lucia noah emma omar julia victor clara ravi anna felix zoe hugo mina peter rosa "
    "adam ines karl "
)
LAST = _words(
    "novak silva meyer okafor tanaka berg rossi khan larsen moreau costa weber ito nilsson patel kim garcia "
    "fischer dubois santos keller vogel lind haas reyes brandt mori jansen adler cruz "
)
DESKTOPS = (
    "docker/27.3.1 go/go1.22.7 git-commit/41ca978 kernel/6.10.14-linuxkit os/linux arch/arm64 "
    "UpstreamClient(Docker-Client/27.3.1 \\(darwin\\))",
    "docker/26.1.4 go/go1.21.11 git-commit/de5c9cf kernel/6.8.0-45-generic os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/26.1.4 \\(linux\\))",
    "containers/5.32.2 (github.com/containers/image)",
    "skopeo/1.16.1",
)
BUILDERS = (
    "docker/27.3.1 go/go1.22.7 git-commit/41ca978 kernel/6.1.0-25-amd64 os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/27.3.1 \\(linux\\))",
    "buildkit/0.16.0",
    "kaniko/v1.23.2",
    "Buildah/1.37.3",
    "go-containerregistry/v0.20.2",
)
RUNTIMES = ("containerd/1.7.22", "cri-o/1.30.4 go/go1.22.5 os/linux arch/amd64", "containerd/v2.0.0")
STRANGERS = ("", "Mozilla/5.0 zgrab/0.x", "curl/8.5.0", "python-requests/2.32.3", "Go-http-client/1.1")
