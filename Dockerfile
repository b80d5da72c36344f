# The image of one replica. Nothing in it is built for one processor, so the stages before the last may run on any machine.
#
#   node scripts/build-image.mjs --tag agent-smith        # docker, podman or buildah, with the labels below
#
# Another base: --build-arg NODE_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot. The server needs Node 24 and no shell; the
# commands of your pipelines may need one, and git, and more: then FROM this image, and add what they need.

ARG BUILD_IMAGE=docker.io/library/node:24-slim
ARG NODE_IMAGE=docker.io/library/node:24-slim

FROM ${BUILD_IMAGE} AS build
# Its name is that of the component in the SBOM.
WORKDIR /agent-smith
COPY package.json package-lock.json .npmrc ./
# Optional packages are the pinned Node and Helm for clones, and native code that only saves time. An npm configuration (another
# registry, its token) and a CA come in as secrets: neither stays in a layer.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/ca.pem \
    if [ -f /run/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/ca.pem; fi \
    && npm ci --omit=dev --omit=optional --ignore-scripts \
    && npm sbom --package-lock-only --omit=dev --omit=optional --sbom-format=cyclonedx > sbom.cdx.json
COPY src src
COPY scripts/healthcheck.mjs scripts/
# Files have the rights of the checkout, which may be those of one user. The link is for people: kubectl exec ... agent-smith doctor.
RUN mkdir bin && ln -s ../src/cli/main.ts bin/agent-smith && chmod -R a+rX . && chmod a+x src/cli/main.ts

# What is inside, as a file: docker build --target sbom --output type=local,dest=. .
FROM scratch AS sbom
COPY --from=build /agent-smith/sbom.cdx.json /

# No RUN from here on: the base may have no shell.
FROM ${NODE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="agent-smith" \
      org.opencontainers.image.description="A label on a ticket becomes exactly one pipeline run." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /agent-smith /agent-smith
# Distroless keeps Node in /nodejs/bin. The root file system is read-only: what a command keeps at home goes to /tmp.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/nodejs/bin:/agent-smith/bin \
    NODE_ENV=production \
    HOME=/tmp
# agentsmith.yml is looked for here.
WORKDIR /config
USER 65532:65532
EXPOSE 8081
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["node", "/agent-smith/scripts/healthcheck.mjs"]
ENTRYPOINT ["node", "/agent-smith/src/cli/main.ts"]
CMD ["server"]
