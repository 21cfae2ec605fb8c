# One image for all processes: services, gateway and the steps of a deploy. `docker compose build` makes it.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

FROM ${PYTHON_IMAGE} AS packages
COPY requirements.lock /
# Wheels only: nothing is compiled, and nothing that is not in the lock with its hash gets in.
RUN python -m venv --without-pip /opt/qudao/venv \
 && pip --python /opt/qudao/venv/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
    --require-hashes --only-binary=:all: -r /requirements.lock
COPY services /opt/qudao/services
COPY gateway /opt/qudao/gateway
COPY ops /opt/qudao/ops
# Compiled here, as the running container cannot write. Unchecked: the sources cannot change either.
RUN /opt/qudao/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/qudao

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 qudao \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin qudao
COPY --from=packages /opt/qudao /opt/qudao
ENV PATH=/opt/qudao/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/qudao
USER 10001:10001
ENTRYPOINT ["python", "-m"]
