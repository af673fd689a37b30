# The base image is pinned by its exact tag. Pin it by digest too in your own build
# (`docker buildx imagetools inspect python:3.12.11-slim-bookworm` prints it): a tag can be moved, a digest cannot.
# Everything from the Python index is pinned by version and hash in requirements-*.lock.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /src
COPY requirements-build.lock requirements-image.lock pyproject.toml README.md LICENSE ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements-build.lock
RUN uv venv --quiet /opt/selfheal && uv pip sync --quiet --python /opt/selfheal --require-hashes --compile-bytecode requirements-image.lock
COPY agents agents
COPY app app
COPY prompts prompts
RUN python -m hatchling build -t wheel -d /src/dist && uv pip install --quiet --python /opt/selfheal --no-deps --compile-bytecode /src/dist/*.whl

FROM python:3.12.11-slim-bookworm
# git reads the repositories; bubblewrap is the sandbox (see k8s/README.md for where it can work).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin selfheal \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/selfheal /opt/selfheal
ENV PATH=/opt/selfheal/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    SELFHEAL_HOST=0.0.0.0 \
    SELFHEAL_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["selfheal"]
CMD ["serve"]
