FROM node:22-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-alpine
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/assets /app/assets
COPY --from=build /app/bin /app/bin
COPY --from=build /app/dist /app/dist
COPY --from=build /app/jobs /app/jobs
COPY --from=build /app/samples /app/samples
COPY --from=build /app/schema /app/schema
# Runs, inputs and the configuration file are mounted here.
WORKDIR /work
RUN chown node:node /work
USER node
ENTRYPOINT ["node", "/app/bin/promptmill.js"]
CMD ["--help"]
