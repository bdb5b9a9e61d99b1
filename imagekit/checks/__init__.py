"""Checks: questions asked of a running container of an image, and the report on the answers.

``imagekit.checks.runner.run_checks`` is the way in. A check is a function in the module
of its feature; ``imagekit.checks.registry`` names them all, in order.
"""
