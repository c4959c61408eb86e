"""One request told by several logs becomes one event, also where no id of the request is common to them.

`joiner.Joiner` stands between interpreting and committing a batch. `part` is a row as this folder looks at it, `alike` says
whether two of them can tell of one thing, `memory` holds what was seen lately, `matching` chooses, `placing` finds the
time of lines that have none.
"""
