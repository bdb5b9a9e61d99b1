"""What people compute with: Jupyter, a framework, CUDA, conda, and where packages come from."""

from __future__ import annotations

from dataclasses import replace

from imagekit.plan.model import Framework, Plan
from tests.docker.mutants.mutant import CUDA, FRAMEWORK, JUPYTER, SSH, Mutant

_PACKAGES = "/opt/venv/lib/python3.11/site-packages"
_KERNEL = "/opt/venv/share/jupyter/kernels/python3/kernel.json"
_RUNTIME = f"{_PACKAGES}/nvidia/cuda_runtime/lib/libcudart.so.12"


def _newer(plan: Plan) -> Plan:
    """The plan of the next release of the framework."""
    return replace(plan, framework=Framework("jax", "0.6.0"))


def _devel(plan: Plan) -> Plan:
    """The same with CUDA's compiler."""
    assert plan.cuda is not None
    return replace(plan, cuda=replace(plan.cuda, flavour="devel"))


def _conda(plan: Plan) -> Plan:
    """The same with the command conda."""
    return replace(plan, conda=True)


_OTHER_PYTHON = (
    rf'{{"argv": ["env", "PYTHONPATH={_PACKAGES}", "/usr/bin/python3", "-m", '
    r'"ipykernel_launcher", "-f", "{connection_file}"], '
    r'"display_name": "Python 3", "language": "python"}'
)
# conda's own answer, with folders that belong to root.
_CONDA = (
    r'{"conda_version": "1.0", "root_prefix": "/opt/conda-command", '
    r'"envs_dirs": ["/opt/conda-command/envs"], "pkgs_dirs": ["/opt/conda-command/pkgs"]}'
)

MUTANTS = (
    # ---- Jupyter
    Mutant(
        "Jupyter asks for no token",
        "RUN sed -i 's/ = token$/ = \"\"/' /etc/imagekit/jupyter_server_config.py",
        "jupyter",
        ("a refusal of a wrong token", "200"),
        base=JUPYTER,
    ),
    Mutant(
        "Jupyter has no kernel",
        f"RUN rm -r {_PACKAGES}/ipykernel",
        "jupyter",
        ("a kernel",),
        base=JUPYTER,
    ),
    Mutant(
        "Jupyter computes with another Python",
        f"RUN echo '{_OTHER_PYTHON}' > {_KERNEL}",
        "jupyter",
        ("'2|/opt/venv|zh_CN.UTF-8' from a kernel", "2|/usr|"),
        base=JUPYTER,
    ),
    Mutant(
        "Jupyter's pages are missing",
        "RUN rm /opt/venv/share/jupyter/lab/static/*.js",
        "jupyter",
        ("scripts of Jupyter Lab's page", "404"),
        base=JUPYTER,
    ),
    Mutant(
        "Jupyter is at another path",
        'RUN sed -i \'s#"/jupyter/"#"/lab/"#\' /etc/imagekit/jupyter_server_config.py',
        "jupyter",
        ("Jupyter's page on port 8888", "/jupyter/api"),
        base=JUPYTER,
    ),
    # ---- the framework and CUDA
    Mutant(
        "the framework is another release",
        "",
        "framework",
        ("jax 0.6.0", "'0.5.3'"),
        base=FRAMEWORK,
        promise=_newer,
    ),
    Mutant(
        "the framework cannot be imported",
        f"RUN rm -r {_PACKAGES}/jaxlib",
        "framework",
        ("jax 0.5.3 in the container", "jaxlib"),
        base=FRAMEWORK,
    ),
    Mutant(
        "ssh finds a Python without the framework",
        (
            "RUN sed -i 's#cat /run/imagekit/environment.sshd >>.*#true#' "
            "/usr/lib/imagekit/start.d/30-sshd && "
            "sed -i '/ssh-environment/d' /etc/bash.bashrc && "
            "ln -s python3 /usr/bin/python"
        ),
        "framework",
        ("jax 0.5.3 over ssh", "ModuleNotFoundError: No module named"),
        base=FRAMEWORK,
    ),
    Mutant(
        "a library of CUDA is missing",
        f"RUN rm {_RUNTIME}",
        "cuda",
        ("libcudart.so.12: installed, and not there",),
        base=CUDA,
    ),
    Mutant(
        "a library of CUDA is broken",
        f"RUN truncate --size=4096 {_RUNTIME}",
        "cuda",
        ("while libcudart.so.12 was loaded",),
        base=CUDA,
    ),
    Mutant(
        "another CUDA comes first",
        (
            f"RUN mkdir /opt/old && cp {_RUNTIME} /opt/old/ && "
            "echo /opt/old > /etc/ld.so.conf.d/00-old.conf && ldconfig"
        ),
        "cuda",
        ("from elsewhere: libcudart.so.12",),
        base=CUDA,
    ),
    Mutant(
        "nvcc is missing",
        "",
        "cuda",
        ("nvcc of CUDA 12.9",),
        base=CUDA,
        promise=_devel,
    ),
    # ---- conda, and mirrors
    Mutant(
        "conda's environments go into a folder of root's",
        rf"RUN printf '#!/bin/sh\necho '\''%s'\''\n' '{_CONDA}' > /usr/local/bin/conda && "
        "chmod +x /usr/local/bin/conda",
        "conda",
        ("conda's envs_dirs below /home/lab", "/opt/conda-command/envs"),
        base=SSH,
        promise=_conda,
    ),
    Mutant(
        "conda is missing",
        "",
        "conda",
        ("conda",),
        base=SSH,
        promise=_conda,
    ),
    Mutant(
        "uv does not ask the mirror that the profile names",
        "RUN rm /etc/uv/uv.toml",
        "mirrors",
        ("the mirror https://mirror.example.edu/simple from pypi",),
        base=JUPYTER,
    ),
)
