# MinIO from its source, which is how its makers release it: no image of theirs holds this version.
ARG GO=golang:1.24-bookworm
ARG PYTHON=python:3.11-slim-bookworm

FROM ${GO} AS build
ARG MINIO=RELEASE.2025-10-15T17-29-55Z
ENV CGO_ENABLED=0 GOBIN=/out GOTOOLCHAIN=local
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go install -trimpath -ldflags="-s -w" "github.com/minio/minio@${MINIO}"

FROM ${PYTHON}
LABEL org.opencontainers.image.title="MinIO for Bellwether" \
      org.opencontainers.image.description="MinIO built from source" \
      org.opencontainers.image.licenses="AGPL-3.0-only"
RUN groupadd --gid 10003 minio \
 && useradd --uid 10003 --gid 10003 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin minio \
 && install -d -o minio -g minio -m 0750 /data
COPY --from=build /out/minio /usr/local/bin/minio
USER 10003:10003
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9000/minio/health/live', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/minio"]
CMD ["server", "--certs-dir", "/tmp/certs", "/data"]
