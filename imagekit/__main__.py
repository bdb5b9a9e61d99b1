"""``python -m imagekit`` is ``imagekit``."""

from imagekit.cli import main

main()
