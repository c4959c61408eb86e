"""What Go's runtime and its HTTP server write past a program's logger: dated lines, panics and their stack traces."""

from __future__ import annotations

import re

_GO_OUTPUT = re.compile(
    rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d[ .]|goroutine \d+ \[|\t[\w/<]|panic[:(]|created by |fatal error: |\[signal "
    # A frame of a stack trace: net/http.(*conn).serve.func1(0xc0001, {0x1, 0x2})
    rb"|[\w./-]{1,200}(?:\(\*?[\w.]{1,100}\)[\w.\[\]{}-]{0,100})?\([^ ]{0,300}(?:, [^ ]{1,100}){0,30}\)$"
)


def is_go_output(line: bytes) -> bool:
    return _GO_OUTPUT.match(line) is not None
