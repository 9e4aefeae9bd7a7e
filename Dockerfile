ARG BUILD_IMAGE=node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY build.ts tsconfig.json ./
COPY src src
# The base has no env, so the shebang of cli.js finds nothing there.
RUN npm run build && mkdir keys compiled && \
  printf '#!/nodejs/bin/node\nrequire("/opt/sidemint/cli.js")\n' > command && chmod 755 command

FROM ${RUN_IMAGE}
COPY --from=build /build/dist /opt/sidemint
COPY --from=build /build/command /usr/bin/sidemint
# A named volume mounted at one of these takes the directory's owner, so the key and the certificate can be written.
COPY --from=build --chown=65532:65532 /build/keys /var/lib/sidemint
COPY --from=build --chown=65532:65532 /build/keys /var/lib/sidemint-stand-in
# What V8 makes of the code, made by this very Node.js: a fresh container starts with it.
COPY --from=build --chown=65532:65532 /build/compiled /var/cache/sidemint
ENV NODE_COMPILE_CACHE=/var/cache/sidemint
RUN ["sidemint", "exec", "--", "sidemint", "token", "--audience", "https://example.com", "--claims"]
RUN ["sidemint", "exec", "--", "sidemint", "grants"]
# Where ./sidemint.yaml is looked for: mount the directory, since an editor's save replaces a file.
WORKDIR /etc/sidemint
# Other defaults, not settings: a variable that is set would win over a mounted sidemint.yaml.
ENV SIDEMINT_IMAGE=true
EXPOSE 80 8080
# The first check comes after one interval, and what depends on us waits for it. No start period: newer engines check
# only every 5 s in it, and older ones cannot be told otherwise.
HEALTHCHECK --interval=1.5s --timeout=3s --retries=5 CMD ["sidemint", "healthcheck"]
ENTRYPOINT ["sidemint"]
ARG VERSION=dev
LABEL org.opencontainers.image.title="sidemint" \
      org.opencontainers.image.description="The metadata server that Google's client libraries expect, on your laptop" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
