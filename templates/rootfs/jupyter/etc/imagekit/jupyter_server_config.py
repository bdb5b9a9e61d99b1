"""Jupyter Server's settings; those in the user's own ~/.jupyter count, too.

The same for jupyter_server 1.6 (Python 3.6) and later.
"""

import pathlib
import sys

import jupyter_server

c = get_config()  # noqa: F821 (traitlets gives it)

c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
# Another port is not published: better a word in the log than a service that nobody finds.
c.ServerApp.port_retries = 0
# The path below which the desktop's front leads here; `/` on the port itself leads to it.
c.ServerApp.base_url = "/jupyter/"
sys.path.append("/usr/lib/imagekit/jupyter")
c.ServerApp.jpserver_extensions = {"imagekit_root": True}
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.ServerApp.quit_button = False
# Read here and not by a variable, which kernels and terminals would inherit.
token = pathlib.Path("/run/imagekit/jupyter/token").read_text()
if jupyter_server.version_info < (2,):
    c.ServerApp.token = token
else:
    c.IdentityProvider.token = token
# Neither news nor updates are asked for.
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
