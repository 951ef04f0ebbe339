"""The HTTP interface: a bare ASGI application over a running project, locked by default.

`routes.py` is the table of all routes; each names the permission it needs, and only liveness needs none.
`application.py` finds the route, asks `access.py` whether the caller may, and turns errors into answers.
"""
