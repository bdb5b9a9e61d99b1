# shellcheck shell=sh
# Makes the CUDA libraries of an environment known to every process of the image, by the
# linker's own list of folders: LD_LIBRARY_PATH would not reach every session, and would
# overrule what programs bring along.
#
#   cuda_wheels PREFIX       libraries of NVIDIA's wheels, each in a folder of its own
#   cuda_conda PREFIX        libraries of a conda channel, among hundreds of others
#   cuda_toolkit PREFIX      nvcc of NVIDIA's wheels as /usr/local/cuda
#   cuda_apt                 NVIDIA's packages in /usr/local/cuda-*
#
# And for NVIDIA's packages, after env.sh, in a step of apt:
#
#   cuda_repository SOURCE KEY      a one-line package source and the address of its key
#   cuda_file URL SHA256            a package by its address, into /tmp
set -eu

list=/etc/ld.so.conf.d/imagekit-cuda.conf
# As in env.sh: where apt's settings and sources lie during a step.
place=/tmp/imagekit-build

cuda_wheels() {
    for folder in "$1"/lib/python*/site-packages/nvidia/*/lib; do
        [ ! -d "$folder" ] || echo "$folder"
    done > "$list"
    # None: wheels of PyTorch before 2.0 have CUDA inside, and need nobody to find it.
    [ -s "$list" ] || rm "$list"
    cuda_known
}

# The prefix's other libraries (libstdc++, libssl …) must not take the place of the
# system's, so that CUDA's alone get a folder.
cuda_conda() {
    folder=/usr/local/lib/imagekit-cuda
    mkdir -p "$folder"
    for name in cublas cublasLt cudart cudnn cudnn_ cufft cufftw cufile cupti curand cusolver \
        cusolverMg cusparse cusparseLt cutensor nccl npp nvblas nvJitLink nvToolsExt nvjpeg \
        nvrtc nvrtc-builtins; do
        # npp and cudnn_ are families: libnppc, libcudnn_ops_infer …
        for file in "$1/lib/lib$name".so.* "$1/lib/lib$name"[a-z]*.so.*; do
            [ ! -e "$file" ] || ln -sf "$file" "$folder/"
        done
    done
    [ -n "$(ls "$folder")" ] || { echo "imagekit: no CUDA libraries in $1/lib" >&2 && return 1; }
    echo "$folder" > "$list"
    cuda_known
}

# Wheels lack two things that makefiles and linkers expect: a folder lib64, and names of
# libraries without a version.
cuda_toolkit() {
    for nvcc in "$1"/lib/python*/site-packages/nvidia/*/bin/nvcc; do
        home=${nvcc%/bin/nvcc}
    done
    [ -x "$home/bin/nvcc" ] || { echo "imagekit: no nvcc below $1" >&2 && return 1; }
    ln -sfn "$home" /usr/local/cuda
    [ -e "$home/lib64" ] || ln -s lib "$home/lib64"
    for file in "$home"/lib/lib*.so.*; do
        name=${file%%.so.*}.so
        [ -e "$name" ] || ln -s "${file##*/}" "$name"
    done
}

cuda_apt() {
    if [ ! -e /usr/local/cuda ]; then
        for home in /usr/local/cuda-*; do
            ln -sfn "$home" /usr/local/cuda
        done
    fi
    echo /usr/local/cuda/lib64 > "$list"
    cuda_known
}

# An address of NVIDIA's, or where the site has a mirror of them.
cuda_address() {
    root=$(mirror nvidia)
    root=${root:-https://developer.download.nvidia.com}
    echo "$1" | sed "s#https://developer\.download\.nvidia\.com/#${root%/}/#"
}

# Source and key lie where apt looks during this step only.
cuda_repository() {
    python3 /run/imagekit-build/cuda/fetch.py "$(cuda_address "$2")" - "$place/nvidia.asc" &&
        echo "deb [signed-by=$place/nvidia.asc] $(cuda_address "${1#deb }")" \
            > "$place/sources.list.d/nvidia.list" &&
        chmod -R a+rX "$place" &&
        apt_lists
}

cuda_file() {
    python3 /run/imagekit-build/cuda/fetch.py "$(cuda_address "$1")" "$2" "/tmp/${1##*/}"
}

cuda_known() {
    ldconfig && rm -f /var/cache/ldconfig/aux-cache
}
