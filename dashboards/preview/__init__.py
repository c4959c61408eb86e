"""Boards without a Grafana: the JSON that is built for it, asked of the real data sources, drawn as plain pages.

`asked` words a target as Grafana's backend does, `servers` asks, `frames` makes lines and tables of the answers, `units`
and `charts` show them, `panels` draws a panel of each kind, `pages` puts them on the board's grid.
"""
