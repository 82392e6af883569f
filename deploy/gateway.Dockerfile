# A gateway (the default target), or a worker, which is the same with FFmpeg and Korean letters for films: no compiler,
# no torch, no PyAV, no CTranslate2. From the checkout's root:
#
#   docker build -f deploy/gateway.Dockerfile -t silvertalk-gateway .
#   docker build -f deploy/gateway.Dockerfile --target worker -t silvertalk-worker .
#
# It writes to /var/lib/silvertalk alone, so `--read-only --tmpfs /tmp` is fine. On SIGTERM it drains: give it
# `--stop-timeout 60`, above DRAIN_SECONDS and what the last turns' records take.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /srv/silvertalk

# Libraries first: while only our own code changes, this layer stays.
COPY requirements-gateway.lock /src/
RUN /srv/silvertalk/bin/pip install --no-deps --require-hashes --only-binary :all: -r /src/requirements-gateway.lock

COPY deploy/requirements-build.lock /src/
RUN python -m pip install --no-deps --require-hashes --only-binary :all: -r /src/requirements-build.lock

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY silvertalk silvertalk
COPY streaming streaming
COPY gpu_node gpu_node
COPY migrations migrations
COPY web_demo web_demo
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /srv/silvertalk/bin/pip install --no-deps --no-index /wheels/silvertalk-*.whl \
    && /srv/silvertalk/bin/pip uninstall --yes pip setuptools

# FFmpeg is a program of its own inside its wheel, which nothing links to.
FROM build AS film
COPY deploy/requirements-film.lock /src/
RUN python -m pip install --no-deps --require-hashes --only-binary :all: --prefix /srv/silvertalk -r /src/requirements-film.lock

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --uid 10001 --home-dir /var/lib/silvertalk --create-home --shell /usr/sbin/nologin silvertalk
ENV PATH=/srv/silvertalk/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/var/lib/silvertalk
WORKDIR /var/lib/silvertalk
VOLUME ["/var/lib/silvertalk"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["silvertalk"]

# Nobody asks a worker anything.
FROM runtime AS worker
COPY --from=film /srv/silvertalk /srv/silvertalk
USER 10001:10001
CMD ["worker"]

FROM runtime AS gateway
COPY --from=build /srv/silvertalk /srv/silvertalk
USER 10001:10001
EXPOSE 8000
# /livez and not /readyz: a gateway without a bus waits for it and must not be restarted for that.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:%s/livez' % os.environ['PORT'], timeout=2)"]
CMD ["gateway"]
