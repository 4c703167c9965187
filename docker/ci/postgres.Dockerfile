# PostgreSQL 15 from Debian's packages, in place of the official image where no registry is in reach (CI).
# It takes what our compose and stack files give the official one: see postgres/entrypoint.sh.
# Build: docker build -f docker/ci/postgres.Dockerfile --build-arg BASE=local/debian:12 -t local/postgres:15 docker/ci
ARG BASE=debian:12.12-slim@sha256:d5d3f9c23164ea16f31852f95bd5959aad1c5e854332fe00f7b3a20fcc9f635c
FROM ${BASE}
# The official image's numeric user, so that volumes and `user:` mean the same; no cluster is made at installation.
# No versions are pinned: the archive keeps the current one of its stable suite only.
# hadolint ignore=DL3008
RUN groupadd --system --gid 999 postgres \
 && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/sh postgres \
 && apt-get update -qq \
 && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql-15 postgresql-client-15 gosu \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && mkdir -p /docker-entrypoint-initdb.d /var/lib/postgresql/data /var/run/postgresql \
 && chown -R postgres:postgres /var/lib/postgresql /var/run/postgresql \
 && chmod 0700 /var/lib/postgresql/data && chmod 3777 /var/run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 PG_MAJOR=15 PGDATA=/var/lib/postgresql/data
COPY --chmod=0755 postgres/entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
EXPOSE 5432
# SIGINT is PostgreSQL's fast shutdown: clients are sent away, nothing is lost.
STOPSIGNAL SIGINT
USER 999:999
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
