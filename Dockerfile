# Any Debian-like image with python3 (3.11 or later) and its venv module serves as BASE.
ARG BASE=python:3.13-slim

# --- build: everything comes from hashed locks; nothing of this stage but /opt/autoscaler is kept ---
FROM ${BASE} AS build
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
# The program's environment has no pip in it: the one of /opt/build fills it.
RUN python3 -m venv /opt/build \
    && python3 -m venv --without-pip /opt/autoscaler \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements-build.lock \
    && /opt/build/bin/pip --python /opt/autoscaler/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY autoscaler autoscaler
COPY policies policies
RUN /opt/build/bin/python -m hatchling build -t wheel -d /tmp/wheel \
    && /opt/build/bin/pip --python /opt/autoscaler/bin/python install --no-cache-dir --disable-pip-version-check \
        --no-deps --no-index /tmp/wheel/*.whl
COPY scripts/healthcheck.py /opt/autoscaler/healthcheck.py

# --- run -------------------------------------------------------------------------------------------
FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="autoscaler" \
      org.opencontainers.image.description="Neutral autoscaler and cost optimiser for hosted GPU inference" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# Group 0 may write the journal too: platforms that choose the user id keep that group.
RUN groupadd --gid 10001 autoscaler \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/autoscaler \
        --shell /usr/sbin/nologin autoscaler \
    && install -d -o 10001 -g 0 -m 0770 /var/lib/autoscaler \
    && install -d -m 0755 /etc/autoscaler/policies

COPY --from=build /opt/autoscaler /opt/autoscaler
# Where policy_dir = "policies" looks for them beside /etc/autoscaler/config.toml.
COPY policies /etc/autoscaler/policies

ENV PATH=/opt/autoscaler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUTOSCALER_CONFIG=/etc/autoscaler/config.toml \
    AUTOSCALER_DAEMON__JOURNAL=sqlite:/var/lib/autoscaler/autoscaler.db \
    AUTOSCALER_HTTP__HOST=0.0.0.0 \
    AUTOSCALER_HTTP__PORT=9464

USER 10001:10001
WORKDIR /var/lib/autoscaler
VOLUME /var/lib/autoscaler
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/autoscaler/bin/python", "/opt/autoscaler/healthcheck.py"]
ENTRYPOINT ["autoscaler"]
CMD ["run"]
