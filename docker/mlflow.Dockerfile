# The MLflow server, and the one-shot that makes the buckets: both need boto3 and nothing of ours.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG UV=0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet "uv==${UV}" \
 && /opt/uv/bin/uv venv --quiet --python python3 /opt/mlflow
WORKDIR /build
COPY requirements/mlflow.txt requirements/mlflow.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv pip install --quiet --python /opt/mlflow --require-hashes -r requirements/mlflow.txt
COPY docker/mlflow /opt/mlflow/start

FROM ${PYTHON}
LABEL org.opencontainers.image.title="MLflow for Bellwether" \
      org.opencontainers.image.description="MLflow server with drivers for PostgreSQL and S3" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10002 mlflow \
 && useradd --uid 10002 --gid 10002 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mlflow
COPY --from=build /opt/mlflow /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10002:10002
WORKDIR /tmp
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/opt/mlflow/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["/opt/mlflow/bin/python", "/opt/mlflow/start/with_secrets.py"]
CMD ["mlflow", "server"]
