# A node, for a GPU (the default target) or for a processor alone. From the checkout's root:
#
#   docker build -f deploy/node.Dockerfile -t silvertalk-node-gpu .
#   docker build -f deploy/node.Dockerfile --target cpu -t silvertalk-node .
#
# Weights are never baked in. The small models of the `cpu` target come inside wheels; large Whisper and XTTS stand in
# the folder mounted at MODELS_ROOT. A container that gets its settings from the environment runs anywhere, on a RunPod
# pod too: the image's entry point is the node itself, and SIGTERM drains it (`--stop-timeout 60`).
#
# CUDA's user libraries come as wheels, at the versions that the libraries here were built for: cuBLAS 12 for
# CTranslate2, torch's own for XTTS. An image of NVIDIA's below that would bring them a second time. The driver is the
# host's: NVIDIA's container toolkit puts it in.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS libraries
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /srv/silvertalk
COPY requirements-node.lock /src/
RUN /srv/silvertalk/bin/pip install --no-deps --require-hashes --only-binary :all: -r /src/requirements-node.lock

FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/requirements-build.lock /src/
RUN python -m pip install --no-deps --require-hashes --only-binary :all: -r /src/requirements-build.lock
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY silvertalk silvertalk
COPY streaming streaming
COPY gpu_node gpu_node
COPY migrations migrations
COPY web_demo web_demo
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --uid 10001 --home-dir /var/lib/silvertalk --create-home --shell /usr/sbin/nologin silvertalk \
    && install --directory --owner=10001 --group=10001 /var/lib/silvertalk/cache
ENV PATH=/srv/silvertalk/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    MODELS_ROOT=/models \
    CACHE_DIR=/var/lib/silvertalk/cache
WORKDIR /var/lib/silvertalk
VOLUME ["/var/lib/silvertalk/cache"]
STOPSIGNAL SIGTERM
# It serves no port. Whether it is warm is told on the bus, and by any gateway's /readyz; what is broken ends it.
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "gpu_node"]

FROM runtime AS cpu
COPY --from=libraries /srv/silvertalk /srv/silvertalk
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    /srv/silvertalk/bin/pip install --no-cache-dir --no-deps --no-index /wheels/silvertalk-*.whl
USER 10001:10001
CMD ["--profile", "cpu"]

FROM libraries AS gpu-libraries
COPY deploy/requirements-beside-torch.lock /src/
RUN /srv/silvertalk/bin/pip install --no-deps --require-hashes --only-binary :all: -r /src/requirements-beside-torch.lock
# torch by itself and with its dependencies, which are another set for every CUDA; then what was tried with it, without.
# For a driver older than the CUDA that torch is built for: --build-arg TORCH_INDEX=--index-url=…
ARG TORCH_INDEX=
COPY requirements-gpu.txt /src/
RUN /srv/silvertalk/bin/pip install ${TORCH_INDEX} --constraint /src/requirements-gpu.txt torch \
    && /srv/silvertalk/bin/pip install --no-deps -r /src/requirements-gpu.txt \
    && { /srv/silvertalk/bin/python -c 'import torchaudio' \
         || rm -f /srv/silvertalk/lib/python3.11/site-packages/torchaudio/lib/*.so; } \
    && /srv/silvertalk/bin/python -c 'import torchaudio'

FROM runtime AS gpu
COPY --from=gpu-libraries /srv/silvertalk /srv/silvertalk
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    /srv/silvertalk/bin/pip install --no-cache-dir --no-deps --no-index /wheels/silvertalk-*.whl
# What NVIDIA's own images say to its container toolkit; where CTranslate2 finds cuBLAS; where the libraries around torch
# may write, since the rest of the file system may be read-only.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/srv/silvertalk/lib/python3.11/site-packages/nvidia/cublas/lib:/srv/silvertalk/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib \
    XDG_CACHE_HOME=/var/lib/silvertalk/cache \
    NUMBA_CACHE_DIR=/var/lib/silvertalk/cache/numba
USER 10001:10001
CMD ["--profile", "gpu"]
