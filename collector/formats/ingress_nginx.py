"""ingress-nginx, the usual door of a Kubernetes cluster, with the log format that it has unless told otherwise.

From 0.26 on; older releases had `[$the_real_ip]` behind the address and no alternative upstream. The address is that of whoever
connected, unless the controller was told which proxies to believe. Its request ids are its own: a registry's log does not
have them.

docs/user-guide/nginx-configuration/log-format.md of kubernetes/ingress-nginx.
"""

from __future__ import annotations

from collector.nginx_directives import LogFormat
from collector.nginx_log_format import nginx_format
from collector.stages import Facts

_TEXT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)

FORMAT = nginx_format(
    "ingress-nginx",
    LogFormat("upstreaminfo", _TEXT),
    title="ingress-nginx in front (its own log format)",
    facts=Facts(
        versions="0.26 and later", tested=False, never=("digest of a pull by tag", "request id of the registry")
    ),
)
