"""The Docker Engine: finding it, and BuildKit builds over its own API.

Nothing is imported here, so that offline verbs start without docker-py.
"""
