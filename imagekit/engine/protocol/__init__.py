"""BuildKit's messages, as far as imagekit speaks them.

The ``.proto`` files are imagekit's own: they declare the fields that are used, with
the numbers of the files they name. The ``_pb2`` modules beside them are generated and
never edited. To make them again, from the top of the checkout::

    python -m venv /tmp/protoc
    /tmp/protoc/bin/pip install 'grpcio-tools==1.72.2' 'setuptools<81'
    /tmp/protoc/bin/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. \
        imagekit/engine/protocol/*.proto

The old grpcio-tools is meant: a generated module refuses a protobuf runtime that is
older than its generator (https://protobuf.dev/support/cross-version-runtime-guarantee),
and 1.72 generates for protobuf 6.30, so ``protobuf>=6.31`` of ``pyproject.toml`` holds.
"""
