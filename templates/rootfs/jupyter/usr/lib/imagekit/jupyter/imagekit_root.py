"""Leads from `/`, which people type, to Jupyter's base URL; a query such as ?token=… stays.

A server extension:
https://jupyter-server.readthedocs.io/en/latest/developers/extensions.html
"""

from jupyter_server.base.handlers import RedirectWithParams


def _jupyter_server_extension_points():
    return [{"module": "imagekit_root"}]


def _load_jupyter_server_extension(server):
    target = {"url": server.base_url, "permanent": False}
    server.web_app.add_handlers(".*", [("/(?:lab)?", RedirectWithParams, target)])
