# HAProxy from Debian's packages: the router in CI, where no registry is in reach.
# Like the official image it runs `haproxy -f /usr/local/etc/haproxy/haproxy.cfg` as user 99.
# Build: docker build -f docker/ci/router.Dockerfile --build-arg BASE=local/debian:12 -t local/router:2.6 docker/ci
ARG BASE=debian:12.12-slim@sha256:d5d3f9c23164ea16f31852f95bd5959aad1c5e854332fe00f7b3a20fcc9f635c
FROM ${BASE}
# No versions are pinned: the archive keeps the current one of its stable suite only.
# hadolint ignore=DL3008
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && groupmod --gid 99 haproxy && usermod --uid 99 haproxy \
 && mkdir -p /usr/local/etc/haproxy /var/lib/haproxy && chown -R 99:99 /var/lib/haproxy
# SIGUSR1 lets requests under way finish.
STOPSIGNAL SIGUSR1
USER 99:99
# Master-worker mode: a reload (SIGUSR2) starts new workers while the old ones finish.
ENTRYPOINT ["haproxy", "-W", "-db"]
CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]
