# syntax=docker/dockerfile:1
# Two stages: what is built, and an image that holds nothing else. test/unit/image.test.ts runs the same steps without an image engine. A release pins both bases by digest.
ARG NODE_IMAGE=docker.io/library/node:24-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# On the platform that builds, also for another one: what the next stage takes from this one is the same for all of them, and emulated it would take many times as long.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/bundle-command-line.ts scripts/third-party-licences.ts ./scripts/
COPY src ./src
RUN npm run build
# Scanners find no packages in a bundle.
RUN npm sbom --sbom-format=cyclonedx --package-lock-only --omit=dev --omit=optional > sbom.cdx.json

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="BatchTest" \
      org.opencontainers.image.description="Which variant is best? The operator and the command line." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
# A small heap, in the C library here and in V8 by the option of Node below: docs/decisions/0024-the-operator-keeps-its-heap-small.md.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
# Without the optional dependencies: the embedded Postgres is for a laptop.
COPY --from=build /app/dist/cli ./dist/cli
COPY --from=build /app/sbom.cdx.json ./
COPY package.json LICENSE ./
COPY crds ./crds
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/dist/cli/main.js"]
CMD ["operator"]
