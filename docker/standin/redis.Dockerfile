# Stands in for the redis image where no registry can be reached: Debian's Redis 7.0.
ARG PYTHON=python:3.11-slim-bookworm
FROM ${PYTHON}
# hadolint ignore=DL3008
RUN groupadd --gid 999 redis \
 && useradd --uid 999 --gid 999 --no-create-home --home-dir /data redis \
 && apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o redis -g redis /data
USER 999:999
WORKDIR /data
EXPOSE 6379
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["redis-cli", "ping"]
CMD ["redis-server"]
