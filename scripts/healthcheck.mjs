/**
 * The health check of the image, without a shell or curl: exit 0 while the server of this container answers. By /health and
 * not by /health/ready: an outage of Redis is no reason to restart.
 */
const PATIENCE_MS = 4_000;

const url = `http://127.0.0.1:${process.env.PORT || 8081}/health`;
const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch((error) => {
  console.error(`${url}: ${error.cause?.message ?? error.message}`);
});
process.exit(answer?.ok === true ? 0 : 1);
