# syntax=docker/dockerfile:1
# `docker build .` runs on the CPU; `docker build --target gpu .` brings CUDA.

FROM python:3.11-slim AS project
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /app
COPY pyproject.toml ./

# What we lean on changes rarely, and gets a layer of its own.
FROM project AS installed-cpu
RUN uv sync --no-cache --no-dev --extra server --no-install-project
COPY . .
RUN uv sync --no-cache --no-dev --extra server

FROM project AS installed-gpu
RUN uv sync --no-cache --no-default-groups --extra gpu --extra server --no-install-package tensorflow-cpu --no-install-project
COPY . .
RUN uv sync --no-cache --no-default-groups --extra gpu --extra server --no-install-package tensorflow-cpu

FROM python:3.11-slim AS runtime
RUN useradd --create-home --uid 1000 foreseq \
    && install -d -o foreseq -g foreseq /app /app/data /app/mlruns /app/.state
ENV HOME=/home/foreseq \
    PATH=/app/.venv/bin:$PATH \
    PREFECT_HOME=/app/.state/prefect \
    DO_NOT_TRACK=true \
    MLFLOW_DISABLE_TELEMETRY=true \
    PREFECT_SERVER_ANALYTICS_ENABLED=false
WORKDIR /app
HEALTHCHECK --interval=60s --timeout=20s CMD ["foreseq", "--help"]
CMD ["foreseq", "run"]

FROM runtime AS gpu
COPY --from=installed-gpu --chown=foreseq:foreseq /app /app
USER 1000

FROM runtime AS cpu
COPY --from=installed-cpu --chown=foreseq:foreseq /app /app
USER 1000
