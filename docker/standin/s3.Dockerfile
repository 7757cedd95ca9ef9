# Stands in for MinIO where its source cannot be fetched: moto's S3, which is a test double and no
# store for anything that matters. It keeps what it was told in a file and tells it itself again.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG UV=0.13.9
ARG MOTO=5.2.5
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet "uv==${UV}" \
 && /opt/uv/bin/uv venv --quiet --python python3 /opt/s3
WORKDIR /build
COPY requirements/dev.txt constraints.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv pip install --quiet --python /opt/s3 --require-hashes -c constraints.txt "moto[server]==${MOTO}"
COPY docker/standin/s3.py /opt/s3/s3.py

FROM ${PYTHON}
RUN groupadd --gid 10003 s3 \
 && useradd --uid 10003 --gid 10003 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin s3 \
 && install -d -o s3 -g s3 -m 0750 /data
COPY --from=build /opt/s3 /opt/s3
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10003:10003
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9000/minio/health/live', timeout=4)"]
ENTRYPOINT ["/opt/s3/bin/python", "/opt/s3/s3.py"]
