FROM denoland/deno:2.9.6
WORKDIR /tacho
RUN chown deno:deno /tacho
USER deno
# The dependencies change seldom: a layer of their own.
COPY --chown=deno:deno deno.json deno.lock ./
RUN deno install --frozen
COPY --chown=deno:deno main.ts ./
COPY --chown=deno:deno src src
COPY --chown=deno:deno migrations migrations
COPY --chown=deno:deno static static
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
CMD ["task", "start"]
