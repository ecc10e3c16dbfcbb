# syntax=docker/dockerfile:1
# One image with every program of the audit trail; what runs is the container's command (docs/operating.md, The image).

FROM rust:1.95.0-bookworm AS toolchain
WORKDIR /src
# The toolchain of the base image is the one of rust-toolchain.toml; nothing is downloaded by rustup.
ENV CARGO_TERM_COLOR=never \
    RUSTUP_TOOLCHAIN=1.95.0 \
    # distroless has OpenSSL, and no zlib: that one is built in.
    LIBZ_SYS_STATIC=1 \
    # Symbols would make up four fifths of the image.
    CARGO_PROFILE_DIST_STRIP=symbols \
    CARGO_PROFILE_DIST_DEBUG=none
RUN cargo install --locked cargo-chef@0.1.78 cargo-auditable@0.7.7

# The list of dependencies, which changes less often than the code.
FROM toolchain AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# Everything that is not ours: this layer is reused until Cargo.lock changes.
FROM toolchain AS dependencies
COPY --from=plan /src/recipe.json recipe.json
RUN cargo chef cook --profile dist --locked --recipe-path recipe.json \
    --package ingestor --package audit-api --package rabbitmq-bridge --package projector --package trailctl

FROM dependencies AS build
COPY . .
# cargo auditable writes the list of dependencies into each program, where scanners find it.
RUN cargo auditable build --profile dist --locked \
    --package ingestor --package audit-api --package rabbitmq-bridge --package projector --package trailctl \
    && mkdir -p /out \
    && cp target/dist/ingestor target/dist/audit-api target/dist/rabbitmq-bridge \
        target/dist/projector target/dist/trailctl /out/

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0-dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=""
LABEL org.opencontainers.image.title="audit-trail" \
      org.opencontainers.image.description="Event-sourced audit trail store with replay: ingestor, HTTP API, RabbitMQ bridge, projector, command line." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build --chown=0:0 --chmod=0555 /out/ /usr/local/bin/
COPY --chown=0:0 --chmod=0444 LICENSE /usr/share/doc/audit-trail/LICENSE
# 65532 is distroless's nonroot; a number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /home/nonroot
# 8080 the API; 9464 metrics and health of every daemon.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# No HEALTHCHECK: there is no shell, and Kubernetes asks /health/live and /health/ready itself.
CMD ["trailctl", "--help"]
