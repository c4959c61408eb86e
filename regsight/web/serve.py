"""The page on a port: uvicorn in a thread of its own, stopped by `should_exit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from regsight.web.app import create_app
from regsight.web.guard import check_access
from regsight.web.state import WebState

if TYPE_CHECKING:
    from starlette.applications import Starlette


def make_server(state: WebState, listen: str) -> uvicorn.Server:
    """A server for `host:port`; its `run` blocks until `should_exit` is set from another thread.

    Raises:
        ValueError: the address is no `host:port`, or lies beyond loopback without a token or a proxy that says who somebody is.
    """
    host, port = check_access(listen, state.who())
    app: Starlette = create_app(state)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the peer's address decides whose header is believed: nobody may rewrite it
        timeout_graceful_shutdown=5,
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    app.state.hub.ended = lambda: server.should_exit
    return server
