"""fetch.py URL SHA256 FILE: a download that is kept only when it is what was asked for.

``-`` for the checksum takes what comes: for a key that a package source is checked with,
where the address is all that is known. Reads SSL_CERT_FILE and the proxy's variables.
"""

import hashlib
import pathlib
import sys
import urllib.request

url, wanted, name = sys.argv[1:]
with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310 (the plan's own address)
    data = answer.read()
found = hashlib.sha256(data).hexdigest()
if wanted not in {"-", found}:
    raise SystemExit(f"{url}: SHA-256 is {found}, and should be {wanted}")
pathlib.Path(name).write_bytes(data)
