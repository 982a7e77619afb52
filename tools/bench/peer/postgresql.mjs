// Profiles in PostgreSQL, by the pg package: a pool, prepared statements, one transaction a token.
import { randomUUID } from "node:crypto";
import pg from "pg";
import { identifiersOf, merge, RECEIPT_MARGIN_SECONDS } from "./merging.mjs";

const CONNECTIONS = 16;
const TABLES = `
  CREATE TABLE profiles (
    id uuid PRIMARY KEY, auth0_user_id text NOT NULL UNIQUE, email text, properties jsonb NOT NULL,
    modified_at timestamptz NOT NULL
  );
  CREATE INDEX ON profiles (email);
  CREATE INDEX ON profiles (modified_at, id);
  CREATE TABLE receipts (digest bytea PRIMARY KEY, outcome jsonb NOT NULL, keep_until timestamptz NOT NULL);
  CREATE INDEX ON receipts (keep_until);
`;
const FIND = {
  name: "find",
  text: `SELECT id, properties FROM profiles WHERE auth0_user_id = $1 OR email = $2
         ORDER BY auth0_user_id = $1 DESC LIMIT 1 FOR UPDATE`,
};
const INSERT = {
  name: "insert",
  text: `INSERT INTO profiles (id, auth0_user_id, email, properties, modified_at) VALUES ($1, $2, $3, $4, now())
         ON CONFLICT (auth0_user_id) DO NOTHING`,
};
const UPDATE = {
  name: "update",
  text: "UPDATE profiles SET auth0_user_id = $2, email = $3, properties = $4, modified_at = now() WHERE id = $1",
};
const KEEP_RECEIPT = {
  name: "keep-receipt",
  text: `INSERT INTO receipts (digest, outcome, keep_until) VALUES ($1, $2, to_timestamp($3))
         ON CONFLICT (digest) DO NOTHING`,
};
const EARLIER = { name: "earlier", text: "SELECT outcome FROM receipts WHERE digest = $1" };

export async function openStore() {
  const pool = new pg.Pool({ max: CONNECTIONS });
  await pool.query(TABLES);
  return { sync: (claims, digest) => sync(pool, claims, digest) };
}

async function sync(pool, claims, digest) {
  const client = await pool.connect();
  try {
    for (;;) {
      await client.query("BEGIN");
      const outcome = await apply(client, claims, digest);
      await client.query(outcome === null ? "ROLLBACK" : "COMMIT");
      if (outcome !== null) return outcome;
      // Somebody was first: with this token, or with this person's profile, which the next try will find.
      const earlier = await client.query({ ...EARLIER, values: [digest] });
      if (earlier.rowCount > 0) return earlier.rows[0].outcome;
    }
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

// Returns the outcome, or null if a key says that another transaction was first.
async function apply(client, claims, digest) {
  const { userId, email } = identifiersOf(claims);
  const { rows } = await client.query({ ...FIND, values: [userId, email] });
  const profile = rows[0];
  const id = profile?.id ?? randomUUID();
  const { properties, updated } = merge(profile?.properties ?? {}, claims);
  const written = await client.query({ ...(profile ? UPDATE : INSERT), values: [id, userId, email, properties] });
  if (written.rowCount === 0) return null;
  const outcome = { state: profile ? "MODIFIED" : "CREATED", profileId: id, updated };
  const receipt = await client.query({ ...KEEP_RECEIPT, values: [digest, outcome, claims.exp + RECEIPT_MARGIN_SECONDS] });
  return receipt.rowCount === 0 ? null : outcome;
}
