# Redis 7.0 from Debian's packages, in place of the official image where no registry is in reach (CI).
# Build: docker build -f docker/ci/redis.Dockerfile --build-arg BASE=local/debian:12 -t local/redis:7 docker/ci
ARG BASE=debian:12.12-slim@sha256:d5d3f9c23164ea16f31852f95bd5959aad1c5e854332fe00f7b3a20fcc9f635c
FROM ${BASE}
# The official image's numeric user, so that volumes and `user:` mean the same.
# No versions are pinned: the archive keeps the current one of its stable suite only.
# hadolint ignore=DL3008
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid 999 --home-dir /data --shell /bin/sh redis \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools gosu \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /etc/redis \
 && mkdir -p /data && chown redis:redis /data
COPY --chmod=0755 redis/entrypoint.sh /usr/local/bin/docker-entrypoint.sh
WORKDIR /data
VOLUME /data
EXPOSE 6379
USER 999:999
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
