// The peer of the token bench: a small Express server that does the token service's work, written as a team would that
// knows its tools: Auth0's own middleware with its cached keys, prepared statements, one transaction a token.
//
// Settings: PORT, ISSUER_BASE_URL, AUDIENCE, ALLOWED_ORIGIN, CLAIM_NAMESPACE, DATABASE (sqlite:FILE, or postgresql: with
// PostgreSQL's own PGHOST, PGUSER, PGDATABASE).
import { hash } from "node:crypto";
import express from "express";
import { auth } from "express-oauth2-jwt-bearer";

const { PORT, ISSUER_BASE_URL, AUDIENCE, ALLOWED_ORIGIN, DATABASE } = process.env;
const { openStore } = await import(DATABASE.startsWith("sqlite:") ? "./sqlite.mjs" : "./postgresql.mjs");
const store = await openStore(DATABASE.replace(/^\w+:/, ""));

const app = express();
app.disable("x-powered-by");
app.disable("etag");

app.get("/healthz", (request, response) => response.json({ status: "ok" }));

app.post(
  "/token",
  auth({ issuerBaseURL: ISSUER_BASE_URL, audience: AUDIENCE, tokenSigningAlg: "RS256" }),
  express.json({ limit: "24kb" }),
  async (request, response) => {
    const { payload, token } = request.auth;
    const outcome = await store.sync(payload, hash("sha256", token, "buffer"));
    response.set({ "Access-Control-Allow-Origin": ALLOWED_ORIGIN, "Cache-Control": "no-store" }).json(outcome);
  },
);

app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  if (!error.status) console.error(error);
  response.status(error.status ?? 500).set(error.headers ?? {}).json({ error: error.code ?? "server_error" });
});

app.listen(PORT, "127.0.0.1");
